//! The smallest flow: a parameter, and three steps one after the other.

use wrun_sdk::prelude::*;

/// Greets somebody, politely and then loudly.
#[flow]
mod hello {
    use super::*;

    #[derive(Artifacts)]
    struct Greeted {
        greeting: String,
    }

    #[derive(Artifacts)]
    struct Shouted {
        shout: String,
    }

    /// Makes a greeting.
    #[step(next = "louder")]
    fn start(
        /// Whom to greet
        #[param(default = "world")]
        name: String,
    ) -> Greeted {
        Greeted {
            greeting: format!("Hello, {name}!"),
        }
    }

    /// Says the greeting again, louder.
    #[step(next = "end")]
    fn louder(greeting: String) -> Shouted {
        Shouted {
            shout: greeting.to_uppercase(),
        }
    }

    /// Prints both.
    #[step]
    fn end(greeting: String, shout: String) {
        println!("{greeting} {shout}");
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_name_is_greeted() {
            assert_eq!(start("Ada".to_owned()).greeting, "Hello, Ada!");
        }

        #[test]
        fn louder_is_in_capitals() {
            assert_eq!(louder("Hello, Zoë!".to_owned()).shout, "HELLO, ZOË!");
        }
    }
}
