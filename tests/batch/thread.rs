//! From a foreach to its join and back: jobs, workers, records, the journal.

use super::cloud::Cloud;

#[test]
fn a_foreach_is_one_array_job_and_its_results_are_those_of_this_machine() {
    let cloud = Cloud::new();
    cloud.run("foreach", &["--n", "7", "--quiet"]).good();
    assert_eq!(cloud.fake.calls("submitjob"), 4);
    assert_eq!(cloud.fake.calls("registerjobdefinition"), 1);
    assert_eq!(cloud.fake.state().containers, 10);
    cloud.replay("foreach/1");
}
