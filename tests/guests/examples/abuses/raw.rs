//! Imports called with what no library would hand over: paths as they are, and numbers that are no handles.

use crate::bindings::wrun::flow::artifacts::{self, Writer};
use crate::{Told, Verb};

pub const VERBS: &[Verb] = &[
    ("open-at", |it| open_at(&it[0], &it[1], 0)),
    ("create-at", |it| open_at(&it[0], &it[1], 1)),
    ("stat-at", |it| {
        two(&it[0], |base, ret| call(stat_at, base, &it[1], ret))
    }),
    ("readlink-at", |it| {
        two(&it[0], |base, ret| plain(readlink_at, base, &it[1], ret))
    }),
    ("unlink-at", |it| {
        one(&it[0], |base, ret| plain(unlink_file_at, base, &it[1], ret))
    }),
    ("mkdir-at", |it| {
        one(&it[0], |base, ret| {
            plain(create_directory_at, base, &it[1], ret)
        })
    }),
    ("symlink-at", |it| {
        one(&it[0], |base, ret| unsafe {
            symlink_at(
                base,
                it[1].as_ptr(),
                it[1].len(),
                it[2].as_ptr(),
                it[2].len(),
                ret,
            )
        })
    }),
    ("rename-at", |it| {
        let other = preopened(&it[2]);
        one(&it[0], |base, ret| unsafe {
            rename_at(
                base,
                it[1].as_ptr(),
                it[1].len(),
                other,
                it[3].as_ptr(),
                it[3].len(),
                ret,
            )
        })
    }),
    ("link-at", |it| {
        let other = preopened(&it[2]);
        one(&it[0], |base, ret| unsafe {
            link_at(
                base,
                1,
                it[1].as_ptr(),
                it[1].len(),
                other,
                it[3].as_ptr(),
                it[3].len(),
                ret,
            )
        })
    }),
    ("forged-reader", |it| {
        unsafe { reader_len(number(&it[0])) }.to_string()
    }),
    ("forged-writer", |it| {
        unsafe { writer_write(number(&it[0]), b"x".as_ptr(), 1) };
        "it was written".into()
    }),
    ("forged-descriptor", |it| one_of(number(&it[0]))),
    ("forged-drop", |it| {
        unsafe { reader_drop(number(&it[0])) };
        "it was dropped".into()
    }),
    ("writer-as-reader", |_| {
        let writer = Writer::new("text/plain");
        unsafe { reader_len(writer.handle() as i32) }.to_string()
    }),
    ("writer-after-save", |_| {
        let writer = Writer::new("text/plain");
        let number = writer.handle() as i32;
        artifacts::save("said", writer);
        unsafe { writer_write(number, b"x".as_ptr(), 1) };
        "it was written".into()
    }),
    ("writer-dropped-twice", |_| {
        let writer = Writer::new("text/plain");
        let number = writer.handle() as i32;
        drop(writer);
        unsafe { writer_drop(number) };
        "it was dropped".into()
    }),
    ("wild-pointer", |it| {
        unsafe {
            writer_write(
                Writer::new("text/plain").handle() as i32,
                number(&it[0]) as *const u8,
                usize::MAX / 2,
            )
        };
        "it was written".into()
    }),
    ("wild-answer", |_| {
        unsafe {
            stat_at(
                preopened("1"),
                0,
                "a".as_ptr(),
                1,
                0xffff_fff0_u32 as *mut u8,
            )
        };
        "it was answered".into()
    }),
    ("no-text", |_| {
        let bytes = [0xff_u8, 0xfe, 0x80];
        unsafe { get(bytes.as_ptr(), bytes.len(), [0_u8; 16].as_mut_ptr()) };
        "it was taken for text".into()
    }),
    ("flags", |_| {
        let ret = &mut [0_u8; 64];
        let base = preopened("1");
        // More flags than there are.
        unsafe { raw_open_at(base, -1, "a.txt".as_ptr(), 5, -1, -1, ret.as_mut_ptr()) };
        told(ret, 4)
    }),
];

/// Numbers of the codes of `wasi:filesystem`.
const CODES: [&str; 37] = [
    "access",
    "would-block",
    "already",
    "bad-descriptor",
    "busy",
    "deadlock",
    "quota",
    "exist",
    "file-too-large",
    "illegal-byte-sequence",
    "in-progress",
    "interrupted",
    "invalid",
    "io",
    "is-directory",
    "loop",
    "too-many-links",
    "message-size",
    "name-too-long",
    "no-device",
    "no-entry",
    "no-lock",
    "insufficient-memory",
    "insufficient-space",
    "not-directory",
    "not-empty",
    "not-recoverable",
    "unsupported",
    "no-tty",
    "no-such-device",
    "overflow",
    "not-permitted",
    "pipe",
    "read-only",
    "invalid-seek",
    "text-file-busy",
    "cross-device",
];

fn told(ret: &[u8], at: usize) -> Told {
    match ret[0] {
        0 => "got it".into(),
        _ => CODES
            .get(ret[at] as usize)
            .map_or("an unknown code".into(), |it| (*it).to_owned()),
    }
}

fn number(text: &str) -> i32 {
    text.parse::<i64>().expect("a number") as i32
}

/// The descriptor of the directory that is open from the beginning at this position.
fn preopened(position: &str) -> i32 {
    let mut ret = [0_usize; 2];
    // SAFETY: the answer is a list: its address and its length; each element is a descriptor and a text.
    let list = unsafe {
        get_directories(ret.as_mut_ptr().cast());
        std::slice::from_raw_parts(ret[0] as *const [u32; 3], ret[1])
    };
    list[number(position) as usize][0] as i32
}

fn open_at(base: &str, path: &str, flags: i32) -> Told {
    let mut ret = [0_u8; 64];
    let access = if flags == 0 { 1 } else { 3 };
    unsafe {
        raw_open_at(
            preopened(base),
            1,
            path.as_ptr(),
            path.len(),
            flags,
            access,
            ret.as_mut_ptr(),
        )
    };
    told(&ret, 4)
}

/// Calls something whose result has no value.
fn one(base: &str, call: impl FnOnce(i32, *mut u8)) -> Told {
    let mut ret = [0_u8; 8];
    call(preopened(base), ret.as_mut_ptr());
    told(&ret, 1)
}

/// Calls something whose result has a value, aligned to `stat`'s or a text's.
fn two(base: &str, call: impl FnOnce(i32, *mut u8)) -> Told {
    let mut ret = [0xee_u8; 128];
    call(preopened(base), ret.as_mut_ptr());
    let at = if ret[4] == 0xee { 8 } else { 4 };
    told(&ret, at)
}

fn one_of(descriptor: i32) -> Told {
    let mut ret = [0_u8; 128];
    unsafe { descriptor_stat(descriptor, ret.as_mut_ptr()) };
    told(&ret, 8)
}

type WithFlags = unsafe extern "C" fn(i32, i32, *const u8, usize, *mut u8);
type Plain = unsafe extern "C" fn(i32, *const u8, usize, *mut u8);

fn call(it: WithFlags, base: i32, path: &str, ret: *mut u8) {
    unsafe { it(base, 1, path.as_ptr(), path.len(), ret) }
}

fn plain(it: Plain, base: i32, path: &str, ret: *mut u8) {
    unsafe { it(base, path.as_ptr(), path.len(), ret) }
}

/// Declares imports; natively, where nothing of this is ever called, they do nothing.
macro_rules! imports {
    ($($module:literal { $($link:literal fn $name:ident($($at:ident: $ty:ty),*) $(-> $out:ty)?;)* })*) => {$(
        #[cfg(target_arch = "wasm32")]
        #[link(wasm_import_module = $module)]
        unsafe extern "C" { $(#[link_name = $link] fn $name($($at: $ty),*) $(-> $out)?;)* }
        $(
            #[cfg(not(target_arch = "wasm32"))]
            unsafe extern "C" fn $name($(_: $ty),*) $(-> $out)? { std::process::abort() }
        )*
    )*};
}

imports! {
    "wasi:filesystem/preopens@0.2.0" {
        "get-directories" fn get_directories(ret: *mut u8);
    }
    "wasi:filesystem/types@0.2.0" {
        "[method]descriptor.open-at" fn raw_open_at(it: i32, how: i32, path: *const u8, len: usize, open: i32, access: i32, ret: *mut u8);
        "[method]descriptor.stat-at" fn stat_at(it: i32, how: i32, path: *const u8, len: usize, ret: *mut u8);
        "[method]descriptor.stat" fn descriptor_stat(it: i32, ret: *mut u8);
        "[method]descriptor.readlink-at" fn readlink_at(it: i32, path: *const u8, len: usize, ret: *mut u8);
        "[method]descriptor.unlink-file-at" fn unlink_file_at(it: i32, path: *const u8, len: usize, ret: *mut u8);
        "[method]descriptor.create-directory-at" fn create_directory_at(it: i32, path: *const u8, len: usize, ret: *mut u8);
        "[method]descriptor.symlink-at" fn symlink_at(it: i32, old: *const u8, old_len: usize, new: *const u8, new_len: usize, ret: *mut u8);
        "[method]descriptor.rename-at" fn rename_at(it: i32, old: *const u8, old_len: usize, other: i32, new: *const u8, new_len: usize, ret: *mut u8);
        "[method]descriptor.link-at" fn link_at(it: i32, how: i32, old: *const u8, old_len: usize, other: i32, new: *const u8, new_len: usize, ret: *mut u8);
    }
    "wrun:flow/artifacts@0.1.0" {
        "[method]reader.len" fn reader_len(it: i32) -> i64;
        "[resource-drop]reader" fn reader_drop(it: i32);
        "[method]writer.write" fn writer_write(it: i32, bytes: *const u8, len: usize);
        "[resource-drop]writer" fn writer_drop(it: i32);
        "get" fn get(name: *const u8, len: usize, ret: *mut u8);
    }
}
