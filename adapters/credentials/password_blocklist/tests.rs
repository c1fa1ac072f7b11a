use std::io::Write;

use super::*;

fn file(lines: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.txt");
    std::fs::write(&path, lines).unwrap();
    (folder, path)
}

fn holds(blocklist: &PasswordBlocklist, text: &str) -> bool {
    blocklist.holds(&Password::new(text.to_owned())).unwrap()
}

fn with(lines: &str) -> (tempfile::TempDir, PasswordBlocklist) {
    let (folder, path) = file(lines);
    let opened = BlocklistFile::open(&path).unwrap();
    opened.check().unwrap();
    (folder, PasswordBlocklist::with_file(Some(Arc::new(opened))))
}

#[test]
fn the_commonest_passwords_are_known_without_any_file_and_in_any_case() {
    let shipped = PasswordBlocklist::default();
    for common in ["password", "PassWord", "123456789", "QWERTYUIOP", "1qaz2wsx", "iloveyou"] {
        assert!(holds(&shipped, common), "{common}");
    }
    for rare in ["Boulange7!", "", "correct horse battery staple", "zzzzzzzy", "\0", "é"] {
        assert!(!holds(&shipped, rare), "{rare}");
    }
}

#[test]
fn the_shipped_list_is_in_order_and_every_line_of_it_is_found() {
    let list = SortedLines::of_bytes(SHIPPED).unwrap();
    assert_eq!(list.check().unwrap(), None);
    let lines: Vec<_> = std::str::from_utf8(SHIPPED).unwrap().lines().collect();
    assert_eq!(lines.len(), 30_000);
    for line in lines {
        assert!(list.contain(line.as_bytes()).unwrap(), "{line}");
    }
}

#[test]
fn a_common_password_written_again_and_again_is_still_common() {
    let shipped = PasswordBlocklist::default();
    for repeated in
        ["passwordPassword", "123456789012345678", "aaaaaaaaaaaaaaaa", "abcabcabcabcabcab", "xyxyxyxyxyxyxyx"]
    {
        assert!(holds(&shipped, repeated), "{repeated}");
    }
    assert!(!holds(&shipped, "Boulange7!Boulange7!"), "what it repeats is not common");
}

#[test]
fn a_password_of_the_operators_list_is_found_in_any_case_with_any_line_ends() {
    for end in ["\n", "\r\n"] {
        let (_folder, blocklist) =
            with(&["Aardappel-2026", "moules frites!", "Zwembad_1", "éTÉ à la mer"].join(end));
        for listed in ["Aardappel-2026", "aardappel-2026", "MOULES FRITES!", "zwembad_1", "éTÉ à la mer"] {
            assert!(holds(&blocklist, listed), "{listed}");
        }
        for other in ["Aardappel-202", "Aardappel-20266", "moules", "zwembad"] {
            assert!(!holds(&blocklist, other), "{other}");
        }
    }
}

#[test]
fn a_list_of_hashes_is_searched_by_hash_with_and_without_counts() {
    let hash = |text: &str| sha1_smol::Sha1::from(text).digest().to_string().to_uppercase();
    let mut hashes: Vec<_> = ["Aardappel-2026", "moules frites!", "zwembad_1"].map(hash).into();
    hashes.sort();
    let counted: Vec<_> =
        hashes.iter().enumerate().map(|(n, hash)| format!("{hash}:{}", n * 7 + 3)).collect();
    let small: Vec<_> = hashes.iter().map(|hash| hash.to_lowercase()).collect();
    for lines in [hashes.join("\n"), counted.join("\r\n") + "\r\n", small.join("\n")] {
        let (_folder, blocklist) = with(&lines);
        for listed in ["Aardappel-2026", "ZWEMBAD_1", "moules frites!", "Moules Frites!"] {
            assert!(holds(&blocklist, listed), "{listed} in {lines}");
        }
        assert!(!holds(&blocklist, "Aardappel-2027"));
        assert!(!holds(&blocklist, hashes.first().unwrap()), "a hash is no password");
    }
}

#[test]
fn a_file_that_cannot_be_searched_is_refused_with_the_command_that_mends_it() {
    let (_folder, path) = file("zebra\naardvark\nmouse\n");
    let fault = BlocklistFile::open(&path).unwrap_err().to_string();
    assert!(fault.contains(&format!("LC_ALL=C sort -f -u {0} -o {0}", path.display())), "{fault}");
    let mut sort = std::process::Command::new("sort");
    sort.env("LC_ALL", "C").args(["-f", "-u"]).arg(&path).arg("-o").arg(&path);
    assert!(sort.status().unwrap().success());
    BlocklistFile::open(&path).unwrap().check().unwrap();

    let (_folder, path) = file("");
    assert!(matches!(BlocklistFile::open(&path), Err(BlocklistFault::Empty(_))));
    assert!(matches!(BlocklistFile::open(&path.join("none")), Err(BlocklistFault::Unreadable { .. })));
    let (folder, _) = file("");
    assert!(matches!(BlocklistFile::open(folder.path()), Err(BlocklistFault::Unreadable { .. })));
    let (_folder, path) = file(&"x".repeat(1 << 20));
    assert!(matches!(BlocklistFile::open(&path), Err(BlocklistFault::Unreadable { .. })), "no list of lines");
}

#[test]
fn one_line_out_of_order_that_the_samples_miss_is_found_by_the_whole_check() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.txt");
    let mut list = std::io::BufWriter::new(File::create(&path).unwrap());
    for n in 0..200_000 {
        let n = if n == 123_456 { 1 } else { n };
        writeln!(list, "password-{n:06}").unwrap();
    }
    list.into_inner().unwrap().sync_all().unwrap();
    let fault = BlocklistFile::open(&path).unwrap().check().unwrap_err();
    assert!(matches!(fault, BlocklistFault::Unsorted { at, .. } if at == 123_456 * 16), "{fault}");
}
