//! The golden file, natively over a scripted peer.

use tollgate_plugin::Action;
use webhook::Webhook;

#[test]
fn golden() {
    golden::actions(include_str!("../golden.json"), |settings, event, send| {
        Webhook::configure(settings)?.send(&event, send)
    });
}
