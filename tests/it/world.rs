//! A gateway of a test's own: temporary data folder, free port, killed at the end.

use std::path::Path;
use tempfile::TempDir;
use tests::{
    example::{self, Registered},
    places,
};
use xtask::{admin::Client, gateway::Gateway};

pub(crate) struct World {
    pub(crate) gateway: Gateway,
    pub(crate) admin: Client,
    settings: Vec<(String, String)>,
    data: TempDir,
}

impl World {
    /// Starts a gateway on an empty folder.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts it with settings from the environment.
    pub(crate) fn start_with(settings: &[(&str, &str)]) -> Self {
        let data = tempfile::Builder::new()
            .prefix("tollgate-it-")
            .tempdir()
            .unwrap();
        let settings: Vec<_> = settings
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let gateway = serve(data.path(), &settings);
        let admin = gateway.admin().unwrap();
        Self {
            gateway,
            admin,
            settings,
            data,
        }
    }

    /// Starts it again on the same folder, after a kill or a stop.
    pub(crate) fn again(&mut self) {
        self.gateway = serve(self.data.path(), &self.settings);
        self.admin = self.gateway.admin().unwrap();
    }

    /// `kill -9`, then a start on the same folder.
    pub(crate) fn crash(&mut self) {
        self.gateway.kill().unwrap();
        self.again();
    }

    /// The example, registered; transform in warm mode.
    pub(crate) fn example(&self) -> Registered {
        example::register(&self.admin, "warm").unwrap()
    }

    /// The example, with the champion evaluated and promoted on an open endpoint.
    pub(crate) fn serving(&self, endpoint: &str) -> Registered {
        let registered = self.example();
        example::endpoint(&self.admin, endpoint, "open").unwrap();
        example::evaluate(&self.admin, registered.champion, None).unwrap();
        let answer = example::promote(&self.admin, endpoint, registered.champion).unwrap();
        assert_eq!(answer["promotion"]["status"], "promoted", "{answer:#}");
        registered
    }

    /// A token of a role, as a client.
    pub(crate) fn caller(&self, name: &str, role: &str) -> Client {
        let body = serde_json::json!({"name": name, "role": role});
        let answer = self.admin.post("/tokens", &body).unwrap();
        self.admin
            .with_token(Some(answer["secret"].as_str().unwrap()))
    }

    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }
}

fn serve(data: &Path, settings: &[(String, String)]) -> Gateway {
    Gateway::start(&places::tollgate(), data, "127.0.0.1:0", |command| {
        command.envs(settings.iter().map(|(name, value)| (name, value)));
    })
    .unwrap()
}
