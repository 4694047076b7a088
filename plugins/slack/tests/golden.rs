//! The golden file, natively over a scripted peer.

use slack::Slack;
use tollgate_plugin::Action;

#[test]
fn golden() {
    golden::actions(include_str!("../golden.json"), |settings, event, send| {
        Slack::configure(settings)?.send(&event, send)
    });
}
