//! Promotions over a real SQLite database: what is decided, what is written,
//! and that a replay tells a tampered record.

#[cfg(test)]
mod world;

#[cfg(test)]
mod tests {
    use crate::world::{Told, VERSIONS, World, artifact, baseline, request, version};
    use domain::{
        decision::{Decision, Outcome, Override, PromotionStatus},
        digest::Digest,
        error::ErrorKind,
        evidence::Evaluation,
        gate::{Enforcement, GateInput, GateRevision},
        ledger::first_break,
        model::VersionRef,
        ports::store::{Endpoints as _, Gates as _, Models as _, Page, Records as _},
        token::Role,
    };
    use proptest::{prelude::*, test_runner::TestRunner};
    use rollout::{
        PromoteError, ReplayError,
        combine::{combine, effective},
        evidence::{Asked, gather},
        replay,
    };
    use std::sync::atomic::Ordering::SeqCst;
    use tokio::runtime::Runtime;

    const ALLOWING: &[(Enforcement, Outcome)] = &[(Enforcement::Hard, Outcome::Allow)];

    fn page() -> Page {
        Page {
            after: None,
            limit: 1000,
        }
    }

    async fn gates(world: &World, decision: &Decision) -> Vec<GateRevision> {
        let mut gates = Vec::new();
        for result in &decision.results {
            gates.extend(world.store.gate_revision(&result.digest).await.unwrap());
        }
        gates
    }

    #[test]
    fn whatever_gates_say_status_route_ledger_and_replay_agree() {
        let level = prop_oneof![
            Just(Enforcement::Advisory),
            Just(Enforcement::Soft),
            Just(Enforcement::Hard)
        ];
        let outcome = prop_oneof![
            Just(Outcome::Allow),
            Just(Outcome::Deny),
            Just(Outcome::Inconclusive)
        ];
        let cases = (prop::collection::vec((level, outcome), 0..4), any::<bool>());
        let config = ProptestConfig {
            cases: 24,
            failure_persistence: None,
            ..ProptestConfig::default()
        };
        let runtime = Runtime::new().unwrap();
        TestRunner::new(config)
            .run(&cases, |(told, overriding)| {
                runtime.block_on(agree(&told, overriding));
                Ok(())
            })
            .unwrap();
    }

    async fn agree(told: &[(Enforcement, Outcome)], overriding: bool) {
        let world = World::new(told).await;
        let wanted = overriding.then_some("because");
        let done = world.rollout.promote(request(1, wanted)).await.unwrap();
        let wanted = wanted.map(|reason| Override {
            by: "tester".to_owned(),
            reason: reason.to_owned(),
        });
        let (expected, used) = effective(&combine(&done.decision.results), wanted);
        let promoted = expected == Outcome::Allow;
        assert_eq!(done.promotion.status == PromotionStatus::Promoted, promoted);
        assert_eq!(done.decision.overridden, used);
        let endpoint = world.endpoint().await;
        assert_eq!(endpoint.route.generation, u64::from(promoted));
        assert_eq!(endpoint.route.champion().is_some(), promoted);
        assert_eq!(world.published.0.load(SeqCst), u64::from(promoted));
        let kept = world.store.decision(&done.decision.id).await.unwrap();
        assert_eq!(kept.as_ref(), Some(&done.decision));
        let outcome = replay(&Told, &done.decision, &gates(&world, &done.decision).await).unwrap();
        assert!(outcome.identical());
        assert_eq!(outcome.engines, None);
        assert_eq!(
            first_break(&world.store.ledger(1, 1000).await.unwrap()),
            None
        );
    }

    #[test]
    fn of_promotions_at_the_same_time_each_judged_what_it_replaced() {
        Runtime::new().unwrap().block_on(async {
            let world = World::new(ALLOWING).await;
            let racing: Vec<_> = (1..=VERSIONS)
                .map(|number| {
                    let rollout = world.rollout.clone();
                    tokio::spawn(async move { rollout.promote(request(number, None)).await })
                })
                .collect();
            let mut promoted = 0;
            for one in racing {
                match one.await.unwrap() {
                    Ok(_) => promoted += 1,
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error}"),
                }
            }
            assert!(promoted >= 1);
            assert_eq!(world.endpoint().await.route.generation, promoted);
            let mut all = world.store.promotions(None, &page()).await.unwrap();
            all.sort_by_key(|promotion| promotion.generation);
            assert_eq!(all.len() as u64, promoted, "a loser was recorded");
            let mut before: Option<VersionRef> = None;
            for promotion in all {
                let decision = world.store.decision(&promotion.decision).await.unwrap();
                let input: GateInput = serde_json::from_str(&decision.unwrap().input).unwrap();
                let judged = input.baseline.version;
                assert_eq!(judged, before.as_ref().map(|version| version.version.0));
                before = Some(promotion.candidate);
            }
        });
    }

    #[test]
    fn what_cannot_be_asked_leaves_no_trace() {
        Runtime::new().unwrap().block_on(async {
            let world = World::new(ALLOWING).await;
            let before = world.store.ledger(1, 1000).await.unwrap();
            let by_approver = rollout::PromoteRequest {
                role: Role::Approver,
                ..request(1, Some("because"))
            };
            let no_reason = rollout::PromoteRequest {
                reason: " ".to_owned(),
                ..request(1, None)
            };
            let elsewhere = rollout::PromoteRequest {
                endpoint: "nowhere".parse().unwrap(),
                ..request(1, None)
            };
            for (asked, kind) in [
                (by_approver, ErrorKind::Denied),
                (no_reason, ErrorKind::Invalid),
                (elsewhere, ErrorKind::Missing),
                (request(99, None), ErrorKind::Missing),
            ] {
                let error = world.rollout.promote(asked).await.unwrap_err();
                assert_eq!(error.kind(), kind, "{error}");
            }
            assert_eq!(world.store.ledger(1, 1000).await.unwrap(), before);
            world.rollout.promote(request(1, None)).await.unwrap();
            let again = world.rollout.promote(request(1, None)).await.unwrap_err();
            assert!(matches!(again, PromoteError::AlreadyChampion(_)));
        });
    }

    async fn chosen(world: &World, number: u32) -> Option<String> {
        let asked = Asked {
            requester: "tester".to_owned(),
            role: Role::Admin,
            reason: "test".to_owned(),
            at: domain::time::Timestamp(1),
        };
        let candidate = world
            .store
            .version(&version(number))
            .await
            .unwrap()
            .unwrap();
        let endpoint = world.endpoint().await;
        let input = gather(world.store.as_ref(), &endpoint, &candidate, &asked)
            .await
            .unwrap();
        assert_eq!(input.evidence.complete, input.evaluation.is_some());
        input.evaluation.map(|evaluation| evaluation.id)
    }

    #[test]
    fn only_a_sealed_evaluation_of_exactly_this_counts() {
        Runtime::new().unwrap().block_on(async {
            let world = World::new(ALLOWING).await;
            let none = |_: &mut Evaluation| {};
            let wrong: [fn(&mut Evaluation); 4] = [
                |evaluation| evaluation.artifact = Digest::of(b"another file"),
                |evaluation| evaluation.transform = Some(Digest::of(b"a transform")),
                |evaluation| evaluation.dataset = "other".parse().unwrap(),
                |evaluation| evaluation.dataset_digest = Digest::of(b"other rows"),
            ];
            for change in wrong {
                world.evaluated(1, change, none).await;
                assert_eq!(chosen(&world, 1).await, None);
            }
            world
                .evaluated(1, none, |evaluation| evaluation.rows = 1_000_000)
                .await;
            assert_eq!(chosen(&world, 1).await, None, "a broken seal counts");
            let good = world.evaluated(1, none, none).await;
            assert_eq!(chosen(&world, 1).await, Some(good.to_string()));
            world.dataset(b"new rows").await;
            assert_eq!(chosen(&world, 1).await, None, "old rows count");
        });
    }

    #[test]
    fn an_evaluation_beside_the_present_champion_comes_first() {
        Runtime::new().unwrap().block_on(async {
            let world = World::new(ALLOWING).await;
            world.rollout.promote(request(1, None)).await.unwrap();
            let none = |_: &mut Evaluation| {};
            let beside = |number| {
                move |evaluation: &mut Evaluation| evaluation.baseline = Some(baseline(number))
            };
            let paired = world.evaluated(2, beside(1), none).await;
            world.evaluated(2, beside(3), none).await;
            world.evaluated(2, none, none).await;
            assert_eq!(chosen(&world, 2).await, Some(paired.to_string()));
            let impostor = world
                .evaluated(
                    3,
                    |evaluation| {
                        let mut other = baseline(1);
                        other.artifact = artifact(5);
                        evaluation.baseline = Some(other);
                    },
                    none,
                )
                .await;
            let newest = world.evaluated(3, none, none).await;
            assert_ne!(impostor, newest);
            assert_eq!(chosen(&world, 3).await, Some(newest.to_string()));
        });
    }

    #[test]
    fn a_replay_tells_every_tampered_part_of_a_record() {
        Runtime::new().unwrap().block_on(async {
            let world = World::new(&[(Enforcement::Hard, Outcome::Deny)]).await;
            let decision = world
                .rollout
                .promote(request(1, None))
                .await
                .unwrap()
                .decision;
            let gates = gates(&world, &decision).await;
            let wrong = |change: fn(&mut Decision)| {
                let mut tampered = decision.clone();
                change(&mut tampered);
                replay(&Told, &tampered, &gates).unwrap_err()
            };
            let error = wrong(|decision| decision.computed = Outcome::Allow);
            assert!(matches!(error, ReplayError::Outcome), "{error}");
            let error = wrong(|decision| decision.effective = Outcome::Allow);
            assert!(matches!(error, ReplayError::Outcome), "{error}");
            let error = wrong(|decision| decision.input.push(' '));
            assert!(matches!(error, ReplayError::Input { .. }), "{error}");
            let error = wrong(|decision| decision.results.clear());
            assert!(matches!(error, ReplayError::Results), "{error}");
            let error = wrong(|decision| decision.candidate = version(2));
            assert!(matches!(error, ReplayError::Subject(_)), "{error}");
            let error = replay(&Told, &decision, &[]).unwrap_err();
            assert!(matches!(error, ReplayError::Gate(_)), "{error}");
            let mut softened = gates.clone();
            softened[0].bundle.manifest.enforcement = Enforcement::Soft;
            let error = replay(&Told, &decision, &softened).unwrap_err();
            assert!(matches!(error, ReplayError::Gate(_)), "{error}");
            // Another answer of the same gate is found by comparing.
            let mut turned = gates.clone();
            turned[0]
                .bundle
                .manifest
                .parameters
                .insert("says".to_owned(), "allow".into());
            assert!(replay(&Told, &decision, &turned).is_err());
            assert!(replay(&Told, &decision, &gates).unwrap().identical());
        });
    }
}
