//! Room: datastore.
