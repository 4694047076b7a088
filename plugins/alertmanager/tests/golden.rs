//! The golden file, natively over a scripted peer.

use alertmanager::Alertmanager;
use tollgate_plugin::Action;

#[test]
fn golden() {
    golden::actions(include_str!("../golden.json"), |settings, event, send| {
        Alertmanager::configure(settings)?.send(&event, send)
    });
}
