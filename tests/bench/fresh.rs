//! What each measure that makes fresh mode fast buys: a gateway for each, with
//! that measure alone switched off, and one with all of them on, loaded in turn.

use crate::{
    rounds::{self, Server},
    server,
    subject::{Mode, Reference, Subject},
};
use anyhow::Result;
use std::{path::Path, time::Duration};

/// Name of a gateway, and what its environment sets.
type Measure = (&'static str, &'static [(&'static str, &'static str)]);

const SNAPSHOT: (&str, &str) = ("TOLLGATE_PLUGINS_SNAPSHOT", "false");
const POOLING: (&str, &str) = ("TOLLGATE_PLUGINS_POOLING", "false");
const RESIDENT: (&str, &str) = ("TOLLGATE_PLUGINS_KEEP_RESIDENT_BYTES", "0");
const COPY_ON_WRITE: (&str, &str) = ("TOLLGATE_PLUGINS_COPY_ON_WRITE", "false");
const PAGEMAP: (&str, &str) = ("TOLLGATE_PLUGINS_PAGEMAP_SCAN", "false");

const MEASURES: [Measure; 7] = [
    ("all on", &[]),
    ("no snapshot: configured at every call", &[SNAPSHOT]),
    ("no pool of instances", &[POOLING]),
    ("nothing kept resident", &[RESIDENT]),
    ("memory copied, not mapped copy-on-write", &[COPY_ON_WRITE]),
    ("no pagemap scan", &[PAGEMAP]),
    (
        "none of them",
        &[SNAPSHOT, POOLING, RESIDENT, COPY_ON_WRITE, PAGEMAP],
    ),
];

/// Loads each in interleaved rounds; the first has all measures on.
pub(crate) fn measure(
    folder: &Path,
    reference: &Reference,
    rounds: u32,
    time: Duration,
) -> Result<Vec<Server>> {
    let mut gateways = Vec::new();
    let mut servers = Vec::new();
    for (index, (name, settings)) in MEASURES.into_iter().enumerate() {
        let data = folder.join(format!("fresh-{index}"));
        let subject = Subject::start_with(&data, reference, settings)?;
        let target = subject.serve(Mode::Fresh, Mode::Fresh.name(), reference)?;
        servers.push(server(name, subject.gateway.pid(), target));
        gateways.push(subject);
    }
    rounds::warm_up(&mut servers)?;
    for round in 1..=rounds {
        rounds::round(&mut servers, time)?;
        eprintln!("fresh mode, round {round} of {rounds}");
    }
    Ok(servers)
}
