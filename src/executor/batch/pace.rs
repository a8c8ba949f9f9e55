//! How fast requests may follow each other.
//!
//! A bucket of tokens, filled at a rate that gives way when the service says that it is too much
//! and comes back slowly: additive increase, multiplicative decrease, as in congestion control.

use std::time::Duration;

/// How many requests may come at once after a pause.
const BURST: f64 = 5.0;
/// The slowest rate, in requests per second.
const LEAST: f64 = 0.2;
/// How much of the highest rate is won back with every request that was not too much.
const REGAIN: f64 = 0.02;

/// The pace of requests to one account. Times are counted from any fixed instant.
#[derive(Clone, Debug)]
pub struct Pace {
    most: f64,
    rate: f64,
    tokens: f64,
    at: Duration,
}

impl Pace {
    /// At most `most` requests per second.
    pub fn new(most: u32) -> Self {
        let most = f64::from(most.max(1));
        Self {
            most,
            rate: most,
            tokens: BURST,
            at: Duration::ZERO,
        }
    }

    /// Takes a token, and says how long to wait before the request may be sent.
    pub fn take(&mut self, now: Duration) -> Duration {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.tokens = (self.tokens + passed * self.rate).min(BURST) - 1.0;
        match self.tokens < 0.0 {
            // Whoever comes next waits behind this one: the debt is paid by time.
            true => Duration::from_secs_f64(-self.tokens / self.rate),
            false => Duration::ZERO,
        }
    }

    /// The service said that there were too many.
    pub fn slow_down(&mut self) {
        self.rate = (self.rate / 2.0).max(LEAST);
        self.tokens = self.tokens.min(0.0);
    }

    /// The service took a request.
    pub fn accepted(&mut self) {
        self.rate = (self.rate + self.most * REGAIN).min(self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many requests are sent in `seconds` by one who sends as soon as it may.
    fn sent(pace: &mut Pace, from: u64, seconds: u64) -> u32 {
        let (mut now, mut count) = (Duration::from_secs(from), 0);
        while now < Duration::from_secs(from + seconds) {
            now += pace.take(now);
            count += 1;
        }
        count
    }

    #[test]
    fn no_more_are_sent_than_are_allowed() {
        let mut pace = Pace::new(10);
        assert!(sent(&mut pace, 0, 10) <= 107);
    }

    #[test]
    fn the_pace_gives_way_and_comes_back() {
        let mut pace = Pace::new(10);
        sent(&mut pace, 0, 1);
        pace.slow_down();
        pace.slow_down();
        let slow = sent(&mut pace, 2, 10);
        assert!((20..=35).contains(&slow), "{slow}");
        (0..100).for_each(|_| pace.accepted());
        assert!(sent(&mut pace, 20, 10) >= 95);
    }
}
