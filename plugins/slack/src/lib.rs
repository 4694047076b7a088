//! An action that tells a channel of the rollback, by an incoming webhook of
//! Slack or of what is compatible (Mattermost, Rocket.Chat), or by a bot.
//!
//! What comes from the event cannot mention anyone, nor make a link: see
//! [`shown`]. The settings are described beside [`Settings`].

#![forbid(unsafe_code)]

use acting::{
    peer::{self, Send},
    settings::{self, refused},
    time::rfc3339,
    words,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tollgate_plugin::{
    Action, Event, Failure, Outcome,
    outbound::{self, Response},
};

#[cfg(target_arch = "wasm32")]
tollgate_plugin::export_action!(Slack);

/// The settings of the action.
///
/// ```json
/// { "target": "slack", "mention": "<!here>" }
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Name of the grant.
    pub target: String,
    /// Path below the grant's prefix. That of an incoming webhook is a secret:
    /// leave it to the grant. A bot's is `/api/chat.postMessage`.
    #[serde(default = "root")]
    pub path: String,
    /// The channel; a bot needs it.
    #[serde(default)]
    pub channel: Option<String>,
    /// Who is mentioned, in Slack's own form; sent as it stands.
    #[serde(default)]
    pub mention: Option<String>,
}

fn root() -> String {
    "/".into()
}

/// The configured action.
pub struct Slack {
    settings: Settings,
}

/// Errors of Slack's web API that may pass.
const PASSING: [&str; 5] = [
    "ratelimited",
    "rate_limited",
    "internal_error",
    "service_unavailable",
    "request_timeout",
];

impl Action for Slack {
    fn configure(text: &str) -> Result<Self, Failure> {
        let settings: Settings = settings::read(text)?;
        settings::target(&settings.target)?;
        settings::path(&settings.path)?;
        for (name, value) in [
            ("channel", &settings.channel),
            ("mention", &settings.mention),
        ] {
            let length = value.as_ref().map_or(1, |value| value.chars().count());
            if !(1..=200).contains(&length) {
                let why = format!("{name} has {length} characters, allowed are 1 to 200");
                return Err(refused(why));
            }
        }
        Ok(Self { settings })
    }

    fn run(&self, event: Event) -> Result<Outcome, Failure> {
        self.send(&event, &mut |request| outbound::send(&request))
    }
}

impl Slack {
    /// Acts on one event, sending through `send`.
    pub fn send(&self, event: &Event, send: Send<'_>) -> Result<Outcome, Failure> {
        let settings = &self.settings;
        let mut body = json!({ "text": message(event, settings.mention.as_deref()) });
        if let Some(channel) = &settings.channel {
            body["channel"] = channel.as_str().into();
        }
        let method = outbound::Method::Post;
        let request = peer::json(&settings.target, method, &settings.path, &body);
        let response = peer::send(request, send)?;
        if !peer::took(&response) {
            return Err(peer::failed(&response));
        }
        match error(&response) {
            Some(error) => Err(error),
            None => Ok(Outcome::Done(format!("answered {}", response.status))),
        }
    }
}

/// The message, in Slack's markup.
fn message(event: &Event, mention: Option<&str>) -> String {
    let mention = mention.map_or(String::new(), |mention| format!("{mention} "));
    format!(
        "{mention}*{}* was rolled back from `{}` to `{}` because of {}.\n{}\n{} · event {}",
        shown(&event.endpoint, 128),
        shown(&event.from, 160),
        shown(&event.to, 160),
        words::explained(event.cause),
        shown(&event.reason, 1000),
        rfc3339(event.at),
        shown(&event.id, 128),
    )
}

/// Text of the event on one line: the three characters of Slack's markup escaped,
/// so `<!channel>` and links are plain text, and a zero-width space after every
/// `@`, by which others than Slack mention people.
fn shown(text: &str, most: usize) -> String {
    let mut out = String::new();
    for c in words::line(text, most).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '@' => out.push_str("@\u{200b}"),
            other => out.push(other),
        }
    }
    out
}

/// The web API says no with status 200 and `{"ok": false, "error": …}`.
fn error(response: &Response) -> Option<Failure> {
    let body: Value = serde_json::from_slice(&response.body).ok()?;
    if body.get("ok") != Some(&Value::Bool(false)) {
        return None;
    }
    // Only a plain token is repeated, never a text of the peer's.
    let named = body["error"].as_str().unwrap_or_default();
    let plain = |b: u8| b.is_ascii_lowercase() || b == b'_';
    let token = if !named.is_empty() && named.len() <= 48 && named.bytes().all(plain) {
        named
    } else {
        "unknown_error"
    };
    let failure = Failure::upstream(
        &format!("slack-{token}"),
        format!("the message was not taken: {token}"),
    );
    Some(if PASSING.contains(&token) {
        failure.retry_later()
    } else {
        failure
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_event_is_markup() {
        assert_eq!(
            shown("<!channel> & <http://x|y> @all\nnext", 100),
            "&lt;!channel&gt; &amp; &lt;http://x|y&gt; @\u{200b}all next"
        );
        // Cut before it is escaped, so no escape is cut in two.
        assert_eq!(shown("<<<<", 3), "&lt;&lt;…");
    }
}
