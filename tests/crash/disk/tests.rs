use super::*;
use crate::disk::journal::Journal;

fn note(path: &str, what: What) -> Note {
    // Of one file at the most.
    let inode = u64::from(!path.is_empty() && !path.ends_with('/'));
    let path = path.to_owned();
    Note {
        end: 0,
        inode,
        path,
        what,
    }
}

fn write(offset: usize, byte: u8) -> What {
    What::Written {
        offset,
        bytes: vec![byte; PAGE],
    }
}

const MADE: What = What::Opened { fresh: true };

fn cuts(notes: Vec<Note>) -> Vec<Files> {
    let journal = Journal { notes, bytes: 0 };
    let cut = |seed| journal.power_cut(&Files::new(), 0, &mut Dice::new(seed));
    (0..500).map(cut).collect()
}

#[test]
fn what_was_synced_is_there_whatever_happens_and_the_rest_in_every_mixture() {
    let cuts = cuts(vec![
        note("a", MADE),
        note("a", write(0, 1)),
        note("a", What::Synced),
        note("", What::FolderSynced),
        note("a", write(PAGE, 2)),
        note("a", write(2 * PAGE, 3)),
    ]);
    assert!(cuts.iter().all(|files| files["a"][..PAGE] == [1; PAGE]));
    let lengths = |length: usize| cuts.iter().filter(|files| files["a"].len() == length).count();
    assert!(lengths(PAGE) > 20 && lengths(2 * PAGE) > 20 && lengths(3 * PAGE) > 20);
    let mut torn = cuts.iter().filter_map(|files| files["a"].get(PAGE..2 * PAGE));
    assert!(torn.any(|page| page.contains(&0) && page.contains(&2)));
    let mut late = cuts.iter().map(|files| &files["a"]);
    assert!(late.any(|file| file.len() == 3 * PAGE && file[PAGE..2 * PAGE] == [0; PAGE]));
}

#[test]
fn a_file_is_there_for_sure_once_its_folder_was_synced() {
    let has = |notes| cuts(notes).iter().filter(|files| files.contains_key("a")).count();
    let unsynced = has(vec![
        note("a", MADE),
        note("a", write(0, 1)),
        note("a", What::Synced),
    ]);
    assert!((50..450).contains(&unsynced), "{unsynced}");
    assert_eq!(has(vec![note("a", MADE), note("", What::FolderSynced)]), 500);
}

#[test]
fn no_later_sync_brings_back_what_one_that_failed_lost() {
    let cuts = cuts(vec![
        note("a", MADE),
        note("", What::FolderSynced),
        note("a", write(0, 1)),
        note("a", What::SyncFailed),
        note("a", What::Synced),
    ]);
    let whole = cuts.iter().filter(|files| files["a"] == [1; PAGE]).count();
    assert!((50..450).contains(&whole), "{whole}");
}

#[test]
fn what_is_in_a_folder_is_there_only_if_the_folder_is() {
    let whole = |synced: &[&str]| {
        let mut notes = vec![
            note("f/", What::FolderMade),
            note("f/a", MADE),
            note("f/a", write(0, 1)),
            note("f/a", What::Synced),
        ];
        notes.extend(synced.iter().map(|folder| note(folder, What::FolderSynced)));
        let has = |files: &&Files| files.get("f/a").is_some_and(|file| *file == [1; PAGE]);
        cuts(notes).iter().filter(has).count()
    };
    assert!((20..450).contains(&whole(&["f/"])), "{}", whole(&["f/"]));
    assert!((50..450).contains(&whole(&[""])), "{}", whole(&[""]));
    assert_eq!(whole(&["f/", ""]), 500);
}
