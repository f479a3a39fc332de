//! How much a server answers at the most: clients are doubled until that gets no more answers.

use crate::measure::Measurement;

/// What the load is called in reports.
pub const NAME: &str = "most";

/// What more clients must get of what fewer got, for still more to be tried: a tenth more.
const RISE: f64 = 1.1;

/// The part of the requests that must succeed: an error that comes sooner than an answer is no better.
const SUCCESS: f64 = 0.99;

/// Measures with 1, 2, 4 and so on up to `limit` clients, until throughput rises by less than a tenth or requests fail.
/// What had the most throughput without failing is answered; where everything failed, what was seen of one client.
pub async fn climb(limit: usize, mut measure: impl AsyncFnMut(usize) -> Measurement) -> Measurement {
    let mut best = measure(1).await;
    let mut clients = 2;
    while clients <= limit && best.success >= SUCCESS {
        let seen = measure(clients).await;
        let failed = seen.success < SUCCESS;
        let goes_on = !failed && seen.throughput >= best.throughput * RISE;
        if !failed && seen.throughput > best.throughput {
            best = seen;
        }
        if !goes_on {
            break;
        }
        clients *= 2;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Climbs over these, the first of one client, each throughput with a part that succeeds. Answers with how many
    /// clients were tried, too.
    async fn climbed(limit: usize, steps: &[(f64, f64)]) -> (usize, f64, Vec<usize>) {
        let (mut tried, mut steps) = (Vec::new(), steps.iter());
        let best = climb(limit, async |clients| {
            tried.push(clients);
            let &(throughput, success) = steps.next().unwrap();
            Measurement { clients, throughput, success, ..Measurement::default() }
        })
        .await;
        (best.clients, best.throughput, tried)
    }

    #[tokio::test]
    async fn it_ends_where_more_clients_get_hardly_more() {
        let steps = [(100.0, 1.0), (190.0, 1.0), (300.0, 1.0), (310.0, 1.0)];
        assert_eq!(climbed(256, &steps).await, (8, 310.0, vec![1, 2, 4, 8]));
    }

    #[tokio::test]
    async fn it_ends_where_more_clients_get_less() {
        assert_eq!(climbed(256, &[(100.0, 1.0), (90.0, 1.0)]).await, (1, 100.0, vec![1, 2]));
    }

    #[tokio::test]
    async fn it_ends_at_the_limit() {
        let steps = [(1.0, 1.0), (2.0, 1.0), (4.0, 1.0)];
        assert_eq!(climbed(7, &steps).await, (4, 4.0, vec![1, 2, 4]));
    }

    /// Refusals are quick, so that they look like throughput.
    #[tokio::test]
    async fn what_fails_is_not_better() {
        assert_eq!(climbed(256, &[(100.0, 1.0), (900.0, 0.5)]).await, (1, 100.0, vec![1, 2]));
        assert_eq!(climbed(256, &[(100.0, 0.5)]).await, (1, 100.0, vec![1]));
    }
}
