//! A thin client of the admin API.

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use domain::digest::Digest;
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Where the gateway is and how to get in.
#[derive(Debug, Args)]
pub(crate) struct Connection {
    /// Address of the gateway
    #[arg(long, env = "TOLLGATE_SERVER", default_value = "http://127.0.0.1:8470")]
    server: String,
    /// Access token; better in a file
    #[arg(long, env = "TOLLGATE_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// File that holds the access token; `tollgate-data/admin.token` here, if there is one
    #[arg(long, env = "TOLLGATE_TOKEN_FILE")]
    token_file: Option<PathBuf>,
}

/// The client.
pub(crate) struct Client {
    http: reqwest::Client,
    server: String,
    token: Option<String>,
}

impl Connection {
    /// A client; nothing is sent yet.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        let default = PathBuf::from("tollgate-data/admin.token");
        let file = self
            .token_file
            .clone()
            .or_else(|| (self.token.is_none() && default.exists()).then_some(default));
        let token = match file {
            Some(path) => {
                let text = std::fs::read_to_string(&path)
                    .with_context(|| format!("reading the token in {}", path.display()))?;
                Some(text.trim().to_owned())
            }
            None => self.token.clone(),
        };
        if !self.server.starts_with("http://") {
            bail!(
                "--server {}: write an address such as http://127.0.0.1:8470 (these commands \
                 speak plain HTTP: from elsewhere, use a tunnel to the gateway)",
                self.server
            );
        }
        let http = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(Duration::from_secs(5))
            .build()?;
        Ok(Client {
            http,
            server: self.server.trim_end_matches('/').to_owned(),
            token,
        })
    }
}

impl Client {
    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.server));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Response> {
        let response = request.send().await.map_err(|error| {
            if error.is_connect() {
                anyhow!(
                    "no gateway answers at {}: is `tollgate serve` running?",
                    self.server
                )
            } else {
                anyhow!(error)
            }
        })?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(refusal(response).await)
    }

    /// Asks for a value.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let request = self.request(Method::GET, &admin(path));
        Ok(self.send(request).await?.json().await?)
    }

    /// Sends a value, gets one back.
    pub(crate) async fn send_json(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<Value> {
        let request = self.request(method, &admin(path)).json(body);
        Ok(self.send(request).await?.json().await?)
    }

    /// Makes something.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send_json(Method::POST, path, body).await
    }

    /// Removes something.
    pub(crate) async fn delete(&self, path: &str) -> anyhow::Result<()> {
        self.send(self.request(Method::DELETE, &admin(path)))
            .await?;
        Ok(())
    }

    /// All pages of a list.
    pub(crate) async fn list(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = match &after {
                Some(key) => format!(
                    "{path}{}after={key}",
                    if path.contains('?') { '&' } else { '?' }
                ),
                None => path.to_owned(),
            };
            let mut answer = self.get(&page).await?;
            match answer.get_mut("items").map(Value::take) {
                Some(Value::Array(more)) => items.extend(more),
                _ => bail!("the gateway's answer to {path} is not a list"),
            }
            after = answer
                .get("next")
                .and_then(Value::as_str)
                .map(str::to_owned);
            if after.is_none() {
                return Ok(items);
            }
        }
    }

    /// Uploads a file under its digest, streamed; gives the digest.
    pub(crate) async fn upload(&self, path: &Path) -> anyhow::Result<String> {
        let reading = || format!("reading {}", path.display());
        let digest = std::fs::File::open(path)
            .and_then(Digest::of_reader)
            .with_context(reading)?;
        let file = tokio::fs::File::open(path).await.with_context(reading)?;
        let length = file.metadata().await.with_context(reading)?.len();
        let request = self
            .request(Method::POST, &admin(&format!("/artifacts?expect={digest}")))
            .header("content-length", length)
            .body(reqwest::Body::from(file));
        let answer: Value = self.send(request).await?.json().await?;
        text(&answer, "/digest")
    }

    /// Calls a path outside the admin API with a JSON body.
    pub(crate) async fn call(&self, path: &str, body: Vec<u8>) -> anyhow::Result<Value> {
        let request = self
            .request(Method::POST, path)
            .header("content-type", "application/json")
            .body(body);
        Ok(self.send(request).await?.json().await?)
    }

    /// Asks a path outside the admin API.
    pub(crate) async fn look(&self, path: &str) -> anyhow::Result<Value> {
        Ok(self
            .send(self.request(Method::GET, path))
            .await?
            .json()
            .await?)
    }
}

fn admin(path: &str) -> String {
    format!("/admin/v1{path}")
}

/// What the server said, in one line.
async fn refusal(response: Response) -> anyhow::Error {
    let status = response.status();
    let body = response.text().await.unwrap_or_default();
    let said: Option<Value> = serde_json::from_str(&body).ok();
    let said = said.as_ref().and_then(|said| {
        let text = said
            .get("detail")
            .or_else(|| said.get("error"))
            .or_else(|| said.get("message"));
        let code = said.get("code").and_then(Value::as_str);
        let text = text.and_then(Value::as_str)?;
        Some(code.map_or_else(|| text.to_owned(), |code| format!("{text} [{code}]")))
    });
    let hint = match status {
        StatusCode::UNAUTHORIZED => " (give --token-file)",
        _ => "",
    };
    let shown = said.unwrap_or_else(|| body.chars().take(200).collect());
    anyhow!("{shown}{hint}").context(format!("the gateway answered {}", status.as_u16()))
}

/// Text at a JSON pointer of an answer.
pub(crate) fn text(value: &Value, pointer: &str) -> anyhow::Result<String> {
    let found = value
        .pointer(pointer)
        .and_then(Value::as_str)
        .map(str::to_owned);
    found.with_context(|| format!("the gateway's answer lacks {pointer}"))
}
