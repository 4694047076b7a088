//! The golden file, natively over a scripted peer.

use github_dispatch::GithubDispatch;
use tollgate_plugin::Action;

#[test]
fn golden() {
    golden::actions(include_str!("../golden.json"), |settings, event, send| {
        GithubDispatch::configure(settings)?.send(&event, send)
    });
}
