//! Completion of values: what is in the datastore that a bare command would use.
