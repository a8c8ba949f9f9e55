//! The image for AWS Batch, where it cannot be made.

use crate::bench::Env;

#[test]
fn a_program_that_containers_cannot_run_is_refused() {
    let env = Env::empty();
    std::fs::write(env.path().join("script"), "#!/bin/sh\n").unwrap();
    insta::assert_snapshot!(env.wrun(&["batch", "image", "--binary", "script", "-o", "it.tar"]), @r"
    --- stderr
    error: `script` cannot be the program of an image
      caused by: it is not an ELF file of 64 bits, as Linux executes them
      hint: `--binary FILE` takes a wrun for Linux
      hint: `cargo build --release --target x86_64-unknown-linux-musl` makes one that needs no libraries
    --- exit code 2
    ");
    insta::assert_snapshot!(env.wrun(&["batch", "image", "--binary", "none", "-o", "it.tar"]), @r"
    --- stderr
    error: could not read program `none`
      caused by: No such file or directory (os error 2)
    --- exit code 4
    ");
    assert!(!env.path().join("it.tar").exists());
}

#[test]
fn a_name_that_is_none_or_cannot_be_pushed_is_refused() {
    let env = Env::empty();
    insta::assert_snapshot!(env.wrun(&["batch", "image", "--push"]), @r"
    --- stderr
    error: image `wrun` belongs to no registry
      hint: name one, e.g. `--tag 123456789012.dkr.ecr.eu-central-1.amazonaws.com/wrun`
    --- exit code 2
    ");
}

#[cfg(target_os = "linux")]
#[test]
fn without_docker_the_image_is_written_to_a_file_with_what_to_do_next() {
    let env = Env::empty();
    let without = |arguments: &[&str]| {
        let mut command = env.command(arguments);
        command.env("PATH", "/nowhere").output().unwrap()
    };
    let output = without(&["batch", "image"]);
    insta::assert_snapshot!(String::from_utf8_lossy(&output.stderr), @r"
    error: there is no Docker to load the image into
      caused by: `docker` does not start: No such file or directory (os error 2)
      hint: `wrun batch image --output wrun.tar` writes the image to a file and needs no Docker
    ");
    let name = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/wrun:1";
    let output = without(&["batch", "image", "-o", "it.tar", "--tag", name]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{name}\n"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let (size, advice) = said.split_once('\n').unwrap();
    assert!(size.ends_with(" written to `it.tar`"), "{size}");
    insta::assert_snapshot!(advice, @r"
    `docker load --input it.tar` loads it
    `aws ecr create-repository --region eu-central-1 --repository-name team/wrun` makes the repository, once
    `aws ecr get-login-password --region eu-central-1 | docker login --username AWS --password-stdin 123456789012.dkr.ecr.eu-central-1.amazonaws.com` logs in
    `docker push 123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/wrun:1` pushes it
    ");
    // The same program makes the same image.
    without(&["batch", "image", "-o", "again.tar", "--tag", name]);
    let read = |file: &str| std::fs::read(env.path().join(file)).unwrap();
    assert!(read("it.tar") == read("again.tar"));
}

#[test]
fn an_image_that_would_trust_nobody_is_not_made() {
    let env = Env::empty();
    std::fs::write(env.path().join("roots.pem"), "none\n").unwrap();
    let mut command = env.command(&["batch", "image", "-o", "it.tar"]);
    let output = command.env("SSL_CERT_FILE", "roots.pem").output().unwrap();
    insta::assert_snapshot!(String::from_utf8_lossy(&output.stderr), @r"
    error: the image would trust no server
      caused by: `roots.pem` holds no certificate in PEM
      hint: set `SSL_CERT_FILE` to a file of certificates in PEM
    ");
}
