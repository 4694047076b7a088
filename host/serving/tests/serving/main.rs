//! Batching, routing and deadlines, over models made for the purpose.

#[cfg(test)]
mod models;

#[cfg(test)]
mod tests {
    use crate::models::{Doubler, endpoint, variant};
    use domain::{
        error::ErrorKind,
        name::VersionNumber,
        ports::engine::Model as _,
        route::{Batching, FULL_WEIGHT},
        signature::{Prepared, fp32},
        tensor::TensorData,
    };
    use serving::{Inputs, PredictError, PredictRequest, batcher::Batcher, lane::Pool, predict};
    use std::sync::{Arc, atomic::Ordering::SeqCst};

    fn request(values: &[f32]) -> PredictRequest {
        let tensor = fp32("x", vec![values.len(), 1], values.to_vec());
        PredictRequest {
            inputs: Inputs::Tensors(vec![tensor]),
            version: None,
            sticky_key: None,
        }
    }

    fn numbers(outputs: &[domain::tensor::Tensor]) -> Vec<f32> {
        match &outputs[0].data {
            TensorData::Fp32(values) => values.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// Only a full batch ends this wait.
    fn batcher(model: &Arc<Doubler>, max_rows: u32) -> Batcher {
        let batching = Batching {
            max_rows,
            max_delay_us: u32::MAX,
        };
        let pool = Arc::new(Pool::new(2, 16));
        Batcher::start(
            Arc::clone(model) as _,
            batching,
            pool,
            Arc::default(),
            Arc::default(),
        )
    }

    fn prepared(model: &Doubler, values: &[f32]) -> Prepared {
        let tensor = fp32("x", vec![values.len(), 1], values.to_vec());
        model.signature().prepare(vec![tensor]).unwrap()
    }

    #[tokio::test]
    async fn requests_that_wait_together_run_as_one_batch_and_get_their_own_rows() {
        let model = Arc::new(Doubler::fast());
        let batcher = batcher(&model, 4);
        let first = batcher.infer(prepared(&model, &[1.0, 2.0]));
        let second = batcher.infer(prepared(&model, &[3.0, 4.0]));
        let (first, second) = tokio::join!(first, second);
        assert_eq!(numbers(&first.unwrap()), [2.0, 4.0]);
        assert_eq!(numbers(&second.unwrap()), [6.0, 8.0]);
        assert_eq!(
            model.calls.load(SeqCst),
            1,
            "two requests of two rows fill one batch of four"
        );
    }

    #[tokio::test]
    async fn one_request_that_the_model_refuses_does_not_spoil_its_neighbours() {
        let model = Arc::new(Doubler::fast());
        let batcher = batcher(&model, 2);
        let good = batcher.infer(prepared(&model, &[5.0]));
        let bad = batcher.infer(prepared(&model, &[crate::models::REFUSED]));
        let (good, bad) = tokio::join!(good, bad);
        assert_eq!(numbers(&good.unwrap()), [10.0]);
        assert_eq!(bad.unwrap_err().kind(), ErrorKind::Invalid);
    }

    #[tokio::test]
    async fn a_model_is_batched_only_if_its_call_takes_longer_than_the_delay() {
        let model = Arc::new(Doubler::fast());
        let pool = Arc::new(Pool::new(1, 1));
        let patient = Batching {
            max_rows: 64,
            max_delay_us: 1_000_000,
        };
        assert!(
            variant(&model, 1, FULL_WEIGHT, patient, &pool)
                .batcher
                .is_none()
        );
        let slow = Arc::new(Doubler::slow());
        let hasty = Batching {
            max_rows: 64,
            max_delay_us: 100,
        };
        assert!(
            variant(&slow, 1, FULL_WEIGHT, hasty, &pool)
                .batcher
                .is_some()
        );
    }

    #[tokio::test]
    async fn a_version_that_is_asked_for_answers_and_one_that_is_not_served_is_missing() {
        let (one, two) = (Arc::new(Doubler::fast()), Arc::new(Doubler::fast()));
        let pool = Arc::new(Pool::new(1, 1));
        let off = Batching {
            max_rows: 1,
            max_delay_us: 0,
        };
        let endpoint = endpoint(
            vec![
                variant(&one, 1, FULL_WEIGHT, off, &pool),
                variant(&two, 2, 0, off, &pool),
            ],
            600_000,
        );
        let asked = |version| PredictRequest {
            version: Some(VersionNumber(version)),
            ..request(&[1.0])
        };
        let answer = predict(&pool, &endpoint, asked(2)).await.unwrap();
        assert_eq!(answer.variant.version_text, "2");
        let error = predict(&pool, &endpoint, asked(3)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Missing);
        // A weight of zero never answers by itself.
        for _ in 0..50 {
            let answer = predict(&pool, &endpoint, request(&[1.0])).await.unwrap();
            assert_eq!(answer.variant.version_text, "1");
        }
    }

    #[tokio::test]
    async fn an_endpoint_without_a_route_says_what_to_do() {
        let pool = Arc::new(Pool::new(1, 1));
        let error = predict(&pool, &endpoint(vec![], 600_000), request(&[1.0]))
            .await
            .unwrap_err();
        assert!(matches!(error, PredictError::NoRoute(_)));
        assert!(error.to_string().contains("promote"), "{error}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_model_that_does_not_answer_in_time_is_given_up() {
        let model = Arc::new(Doubler::slow());
        let pool = Arc::new(Pool::new(1, 4));
        let off = Batching {
            max_rows: 1,
            max_delay_us: 0,
        };
        let endpoint = endpoint(vec![variant(&model, 1, FULL_WEIGHT, off, &pool)], 20);
        model.hold();
        let error = predict(&pool, &endpoint, request(&[1.0]))
            .await
            .unwrap_err();
        assert_eq!(error, PredictError::TimedOut(20));
        model.release();
    }
}
