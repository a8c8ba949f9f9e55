use super::*;

fn make() -> How {
    How {
        open: OpenFlags::CREATE,
        access: DescriptorFlags::READ | DescriptorFlags::WRITE,
    }
}

fn look() -> How {
    How {
        open: OpenFlags::empty(),
        access: DescriptorFlags::READ,
    }
}

fn names(scratch: &Scratch, directory: u32) -> Vec<String> {
    let listed = scratch.list(directory).expect("a directory");
    listed.into_iter().map(|(name, _)| name).collect()
}

#[test]
fn names_are_sorted_whenever_they_came() {
    let mut scratch = Scratch::new(1);
    for name in ["b", "ä", "a", "B", "a/"] {
        let made = scratch.open(ROOT, name, make());
        assert_eq!(made.is_ok(), name != "a/", "{name}");
    }
    assert_eq!(names(&scratch, ROOT), ["B", "a", "b", "ä"]);
}

#[test]
fn it_is_full_when_its_room_is_used_and_empty_when_all_is_gone() {
    let mut scratch = Scratch::new(1);
    let file = scratch.open(ROOT, "f", make()).expect("it fits");
    let room = (1 << 20) - NODE - 1;
    assert_eq!(scratch.write(file, 0, &vec![1; room as usize]), Ok(()));
    let full = Err(ErrorCode::InsufficientSpace);
    assert_eq!(scratch.write(file, room, b"x"), full);
    assert_eq!(scratch.make_directory(ROOT, "d"), full);
    assert_eq!(
        scratch.size(file),
        Ok(room),
        "what did not fit left nothing"
    );
    assert_eq!(scratch.set_size(file, 10), Ok(()));
    assert_eq!(scratch.make_directory(ROOT, "d"), Ok(()));
    assert_eq!(scratch.remove_directory(ROOT, "d"), Ok(()));
    assert_eq!(scratch.remove_file(ROOT, "f"), Ok(()));
    assert_eq!(scratch.read(file, 0, 5), Ok(vec![1; 5]), "it is still open");
    scratch.release(file);
    assert_eq!((scratch.used, scratch.nodes.len()), (0, 1));
}

#[test]
fn a_file_has_zeroes_where_nothing_was_written() {
    let mut scratch = Scratch::new(1);
    let file = scratch.open(ROOT, "f", make()).expect("it fits");
    assert_eq!(scratch.write(file, 3, b"ab"), Ok(()));
    assert_eq!(scratch.read(file, 0, 100), Ok(b"\0\0\0ab".to_vec()));
    assert_eq!(scratch.read(file, 9, 100), Ok(Vec::new()));
    assert_eq!(
        scratch.write(file, u64::MAX, b"ab"),
        Err(ErrorCode::FileTooLarge)
    );
}

#[test]
fn nothing_is_reached_above_the_base() {
    let mut scratch = Scratch::new(1);
    assert_eq!(scratch.make_directory(ROOT, "a"), Ok(()));
    assert_eq!(scratch.make_directory(ROOT, "a/b"), Ok(()));
    let base = scratch.open(ROOT, "a", look()).expect("it is there");
    assert_eq!(scratch.find(base, "b/.."), Ok(base));
    for path in ["..", "b/../..", "../a"] {
        assert_eq!(
            scratch.find(base, path),
            Err(ErrorCode::NotPermitted),
            "{path}"
        );
    }
    assert_eq!(scratch.find(base, "c/../b"), Err(ErrorCode::NoEntry));
}

#[test]
fn renaming_replaces_what_it_may_and_nothing_else() {
    let mut scratch = Scratch::new(1);
    for path in ["d", "d/e", "empty"] {
        assert_eq!(scratch.make_directory(ROOT, path), Ok(()));
    }
    for path in ["f", "g"] {
        let file = scratch.open(ROOT, path, make()).expect("it fits");
        assert_eq!(scratch.write(file, 0, path.as_bytes()), Ok(()));
        scratch.release(file);
    }
    let mut rename = |from, to| scratch.rename((ROOT, from), (ROOT, to));
    assert_eq!(rename("f", "g"), Ok(()));
    assert_eq!(rename("f", "g"), Err(ErrorCode::NoEntry));
    assert_eq!(rename("g", "d"), Err(ErrorCode::IsDirectory));
    assert_eq!(rename("d", "g"), Err(ErrorCode::NotDirectory));
    assert_eq!(rename("empty", "d"), Err(ErrorCode::NotEmpty));
    assert_eq!(rename("d", "d/e/x"), Err(ErrorCode::Invalid));
    assert_eq!(rename("d", "empty"), Ok(()));
    let used = scratch.used;
    assert_eq!(scratch.rename((ROOT, "empty"), (ROOT, "d")), Ok(()));
    assert_eq!(used - scratch.used, 4, "a shorter name takes less");
    assert_eq!(names(&scratch, ROOT), ["d", "g"]);
    let g = scratch.find(ROOT, "g").expect("it is there");
    assert_eq!(scratch.read(g, 0, 9), Ok(b"f".to_vec()));
}

#[test]
fn a_file_lives_as_long_as_one_of_its_names() {
    let mut scratch = Scratch::new(1);
    let file = scratch.open(ROOT, "a", make()).expect("it fits");
    scratch.release(file);
    assert_eq!(scratch.link((ROOT, "a"), (ROOT, "b")), Ok(()));
    assert_eq!(
        scratch.link((ROOT, "a"), (ROOT, "b")),
        Err(ErrorCode::Exist)
    );
    assert_eq!(scratch.remove_file(ROOT, "a"), Ok(()));
    assert_eq!(scratch.find(ROOT, "b"), Ok(file));
    assert_eq!(scratch.remove_file(ROOT, "b"), Ok(()));
    assert_eq!(scratch.used, 0);
}

#[test]
fn what_is_opened_must_be_what_was_meant() {
    let mut scratch = Scratch::new(1);
    scratch.open(ROOT, "f", make()).expect("it fits");
    assert_eq!(scratch.make_directory(ROOT, "d"), Ok(()));
    let open = |scratch: &mut Scratch, path, open, access| {
        scratch.open(ROOT, path, How { open, access }).err()
    };
    let (read, write) = (DescriptorFlags::READ, DescriptorFlags::WRITE);
    let exclusive = OpenFlags::CREATE | OpenFlags::EXCLUSIVE;
    let none = OpenFlags::empty();
    for (path, flags, access, expected) in [
        ("f", exclusive, write, Some(ErrorCode::Exist)),
        (
            "f",
            OpenFlags::DIRECTORY,
            read,
            Some(ErrorCode::NotDirectory),
        ),
        ("f/x", none, read, Some(ErrorCode::NotDirectory)),
        ("d", none, write, Some(ErrorCode::IsDirectory)),
        ("d", OpenFlags::DIRECTORY, read, None),
        ("none", none, read, Some(ErrorCode::NoEntry)),
        ("none/x", OpenFlags::CREATE, write, Some(ErrorCode::NoEntry)),
    ] {
        assert_eq!(open(&mut scratch, path, flags, access), expected, "{path}");
    }
}

#[test]
fn nothing_is_made_in_a_directory_that_was_removed() {
    let mut scratch = Scratch::new(1);
    assert_eq!(scratch.make_directory(ROOT, "d"), Ok(()));
    let directory = scratch.open(ROOT, "d", look()).expect("it is there");
    assert_eq!(scratch.remove_directory(ROOT, "d"), Ok(()));
    assert_eq!(
        scratch.open(directory, "f", make()),
        Err(ErrorCode::NoEntry)
    );
    scratch.release(directory);
    assert_eq!(scratch.used, 0);
}
