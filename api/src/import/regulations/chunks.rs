//! The texts of regulations, cut into chunks.

use std::collections::HashMap;

use entity::{embedding, regulation, regulation_chunk};
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter};
use sha2::{Digest, Sha256};

use super::super::{Counts, rows};
use crate::assistant::chunker;

/// Brings the chunks of some regulations in line with their texts and days. A regulation without a text keeps the one
/// that is there.
pub(super) async fn bring(
    tx: &DatabaseTransaction,
    regulations: &[regulation::Model],
    texts: &HashMap<String, String>,
    counts: &mut Counts,
) -> Result<(), DbErr> {
    let numbers = regulations.iter().map(|one| one.number.as_str());
    let there =
        regulation_chunk::Entity::all().filter(regulation_chunk::Column::Regulation.is_in(numbers)).all(tx).await?;
    let there: HashMap<String, regulation_chunk::Model> = there.into_iter().map(|row| (row.id.clone(), row)).collect();
    let (mut wanted, mut gone) = (Vec::new(), Vec::new());
    for regulation in regulations {
        let own = there.values().filter(|chunk| chunk.regulation == regulation.number);
        match texts.get(&regulation.number) {
            Some(text) => {
                let chunks = cut(regulation, text);
                let last = i32::try_from(chunks.len()).unwrap_or(i32::MAX);
                gone.extend(own.filter(|chunk| chunk.sequence > last).map(|chunk| chunk.id.clone()));
                wanted.extend(chunks);
            }
            None => wanted.extend(own.cloned().map(|chunk| regulation_chunk::Model {
                valid_from: regulation.in_force_from,
                valid_to: regulation.in_force_to,
                ..chunk
            })),
        }
    }
    counts.changed += gone.len() as u64;
    if !gone.is_empty() {
        let of_gone = embedding::Column::Subject.is_in(gone.clone());
        let chunks = embedding::Column::Kind.eq(embedding::Kind::Chunk);
        embedding::Entity::delete_many().filter(chunks).filter(of_gone).exec(tx).await?;
        regulation_chunk::Entity::delete_many().filter(regulation_chunk::Column::Id.is_in(gone)).exec(tx).await?;
    }
    let changed = rows::changed(wanted, &there, |chunk| chunk.id.clone(), counts);
    rows::put::<regulation_chunk::Entity>(tx, changed).await
}

fn cut(regulation: &regulation::Model, text: &str) -> Vec<regulation_chunk::Model> {
    let pieces = chunker::pieces(text).into_iter().zip(1_i32..);
    pieces
        .map(|(piece, sequence)| regulation_chunk::Model {
            id: format!("{}#{sequence}", regulation.number),
            regulation: regulation.number.clone(),
            sequence,
            article: piece.article.map(str::to_owned),
            text: piece.text.to_owned(),
            valid_from: regulation.in_force_from,
            valid_to: regulation.in_force_to,
            revision: revision(piece.text),
        })
        .collect()
}

/// A hash of a text: 32 hexadecimal digits of its SHA-256.
fn revision(text: &str) -> String {
    Sha256::digest(text).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use sea_orm::TransactionTrait;

    use super::super::{import, parse};
    use super::*;
    use crate::import::test_support::{empty_database, refusals};
    use crate::progress::Progress;

    async fn bring_file(database: &sea_orm::DatabaseConnection, file: &str) -> String {
        let tx = database.begin().await.unwrap();
        let report = import(&tx, &parse(file.as_bytes()).unwrap(), &Progress::hidden()).await.unwrap();
        tx.commit().await.unwrap();
        report.to_string()
    }

    /// A newer text takes the place of the older as a whole; new days reach the chunks without the text.
    #[tokio::test]
    async fn a_text_is_replaced_as_a_whole() {
        let database = empty_database().await;
        let file = |text: &str| {
            format!("number,title,in_force_from,in_force_to,text\nPMK 1/2026,One,2026-01-01,,\"{text}\"\n")
        };
        let three = file("Pasal 1\nDuty.\nPasal 2\nLevy.\r\nPasal 3\nEnd.");
        assert_eq!(
            bring_file(&database, &three).await,
            "added 1 regulation, changed 0, left 0 as they were; added 3 chunks, changed 0, left 0 as they were"
        );
        assert_eq!(
            bring_file(&database, &three).await,
            "nothing to change: 1 regulation and 3 chunks were there already"
        );
        assert_eq!(
            bring_file(&database, &file("Pasal 1\nDuty.\nPasal 2\nA levy.")).await,
            "added 0 regulations, changed 0, left 1 as they were; added 0 chunks, changed 2, left 1 as they were"
        );
        let days = "number,title,in_force_from,in_force_to\nPMK 1/2026,One,2026-01-01,2026-06-30\n";
        bring_file(&database, days).await;
        let chunks = regulation_chunk::Entity::all().all(&database).await.unwrap();
        assert_eq!(chunks.len(), 2);
        assert!(chunks.iter().all(|chunk| chunk.valid_to.is_some_and(|day| day.to_string() == "2026-06-30")));
        assert_eq!(chunks[1].article.as_deref(), Some("Pasal 2"));
        assert_eq!(
            refusals(parse(b"number,title,text\nPMK 1/2026,One,a\x07b\n")),
            ["2: its text has control characters"]
        );
    }
}
