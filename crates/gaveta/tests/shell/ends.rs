//! Servers that go, come back, are not there, or are something else.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use gaveta_testkit::proxy::Direction;
use gaveta_testkit::terminal::{Plan, Terminal};

use crate::common::{House, content};
use crate::harness::{
    ENGLISH, LOCALES, Line, PORTUGUESE, SECRET, Shell, WHO, command, either, says,
};

/// Connects, and gives what was seen and the exit code of a shell that never came to a prompt.
fn refused(house: &House, locale: &str, port: u16) -> (String, i32) {
    let mut terminal = Terminal::start(command(house, locale, port), Plan::default());
    let code = terminal.exit_code();
    (terminal.text().replace('\n', ""), code)
}

/// A server that answers every connection so, whatever it is asked.
fn answers_always(answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    // It ends with the test's process.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { break };
            std::thread::spawn(move || {
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(answer);
            });
        }
    });
    port
}

#[test]
fn a_port_where_nothing_listens_is_told_with_its_address() {
    let house = House::open_with(SECRET);
    let free = {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.local_addr().unwrap().port()
    };
    for locale in LOCALES {
        let (seen, code) = refused(&house, locale, free);
        assert_eq!(code, 3, "{seen}");
        assert!(seen.contains(&format!("127.0.0.1:{free}")), "{seen}");
        let said = either(
            locale,
            "nenhum servidor Gaveta responde",
            "no Gaveta server",
        );
        assert!(seen.contains(said), "{seen}");
    }
}

#[test]
fn a_server_of_another_protocol_is_told_apart() {
    let house = House::open_with(SECRET);
    for answer in [
        &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
        b"220 mail ESMTP\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x0a",
        b"",
    ] {
        let port = answers_always(answer);
        for locale in LOCALES {
            let (seen, code) = refused(&house, locale, port);
            assert!(code != 0 && code != 101, "{code}: {seen}");
            assert!(seen.contains(&format!("127.0.0.1:{port}")), "{seen}");
            assert!(!seen.contains('\u{1b}') && !seen.contains('‹'), "{seen}");
        }
    }
}

/// The real server, but for the number of its protocol.
#[test]
fn a_server_of_another_version_is_told_apart() {
    let house = House::open_with(SECRET);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let target = house.port;
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(client) = client else { break };
            let server = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).unwrap();
            let (mut up_from, mut up_to) =
                (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut up_from, &mut up_to));
            std::thread::spawn(move || pretend(server, client));
        }
    });
    for locale in LOCALES {
        let (seen, code) = refused(&house, locale, port);
        assert!(code != 0 && code != 101, "{code}: {seen}");
        assert!(seen.contains("73"), "its version is named: {seen}");
        let said = either(locale, "vers", "version");
        assert!(seen.contains(said), "{seen}");
    }
}

/// Forwards, and replaces the protocol's number in a greeting by 73 without changing its length.
fn pretend(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let mut bytes = buffer[..length].to_vec();
        let key = b"\"protocol\":";
        if let Some(start) = bytes.windows(key.len()).position(|window| window == key) {
            let digit = start + key.len();
            bytes.splice(digit..=digit, *b"73");
            // The frame's own length grows by one: the second byte of a short or longer frame.
            let frame = bytes[..start]
                .iter()
                .rposition(|byte| *byte == 0x81)
                .unwrap();
            if bytes[frame + 1] == 126 {
                let old = u16::from_be_bytes([bytes[frame + 2], bytes[frame + 3]]);
                bytes[frame + 2..frame + 4].copy_from_slice(&(old + 1).to_be_bytes());
            } else {
                bytes[frame + 1] += 1;
            }
        }
        if to.write_all(&bytes).is_err() {
            return;
        }
    }
}

#[test]
fn a_lost_line_is_taken_up_again_and_told() {
    for locale in LOCALES {
        let house = House::open_with(SECRET);
        house.serve_file("there.txt", "x");
        let line = Line::to(&house);
        let shell = Shell::start(command(&house, locale, line.port()), Plan::default());
        shell.type_line("ls");
        let mark = shell.terminal.mark();
        line.proxy.refuse(true);
        line.proxy.cut_now();
        shell
            .terminal
            .wait_for_after(mark, either(locale, "caiu", "lost"));
        line.proxy.refuse(false);
        shell
            .terminal
            .wait_for_after(mark, either(locale, "voltou", "is back"));
        // The half-typed line is still there.
        shell.terminal.wait_until("what was typed", |screen| {
            screen.cursor_line().ends_with("> ls").then_some(())
        });
        let mark = shell.terminal.mark();
        shell.terminal.press(gaveta_testkit::terminal::Key::Enter);
        says(&shell.rest(mark), "there.txt");
        // And what others do is told again.
        house.run(["mkdir", &house.at("afterwards")]).ok();
        shell.terminal.wait_for("afterwards");
        shell.leave();
    }
}

#[test]
fn a_server_that_goes_down_says_so_and_is_found_again() {
    for locale in LOCALES {
        let mut house = House::open_with(SECRET);
        house.serve_file("there.txt", "x");
        let shell = Shell::in_locale(&house, locale);
        let mark = shell.terminal.mark();
        house.stop();
        let down = shell.terminal.wait_until("the news", |screen| {
            let rows = screen.lines_from(mark).concat();
            rows.contains(either(locale, "caiu", "lost"))
                .then_some(rows)
        });
        let closing = either(locale, "está sendo desligado", "is going down");
        assert!(down.contains(closing), "{down}");
        let seen = shell.run("ls");
        assert!(!seen.concat().contains("there.txt"), "{seen:?}");
        house.start_again();
        shell
            .terminal
            .wait_for_after(mark, either(locale, "voltou", "is back"));
        shell.wait_for_prompt(None);
        says(&shell.run("ls"), "there.txt");
        shell.leave();
    }
}

/// Whatever is under way when the server is killed: it is told, and the shell goes on.
#[test]
fn a_server_killed_in_the_middle_of_each_command_takes_no_shell_with_it() {
    let lines = [
        ("listar", "list"),
        ("enviar big.bin", "send big.bin"),
        ("baixar there.txt", "get there.txt"),
        ("deletar there.txt", "delete there.txt"),
        ("remover -y there.txt", "rm -y there.txt"),
        ("mover there.txt a", "move there.txt a"),
        ("copiar there.txt b", "copy there.txt b"),
        ("pasta c", "mkdir c"),
        ("info there.txt", "info there.txt"),
        ("ver there.txt", "cat there.txt"),
        ("espaço", "df"),
        ("entrar folder", "cd folder"),
    ];
    for locale in [PORTUGUESE, ENGLISH] {
        let mut house = House::open_with(SECRET);
        house.serve_file("there.txt", "x");
        house.serve_file("folder/x", "x");
        house.serve_file("mine", "x");
        house.write("big.bin", content(1 << 20));
        let line = Line::to(&house);
        let shell = Shell::start(command(&house, locale, line.port()), Plan::default());
        // Signed in, so that no question stands in the way.
        let mark = shell.enter("delete mine");
        shell.attend(mark, &[WHO]);
        for (portuguese, english) in lines {
            let typed = either(locale, portuguese, english);
            line.proxy.stall(Direction::Down);
            let before = line.proxy.forwarded(Direction::Up);
            let mark = shell.enter(typed);
            // The request is under way before the server dies.
            shell.terminal.wait_until("a request", |_| {
                (line.proxy.forwarded(Direction::Up) > before).then_some(())
            });
            house.kill();
            line.proxy.cut_now();
            line.proxy.heal();
            let seen = shell.rest(mark);
            assert!(!seen.concat().trim().is_empty(), "{typed}: nothing is said");
            assert!(!seen.concat().contains("panicked"), "{seen:#?}");
            house.start_again();
            says(&shell.run("pwd"), "/");
        }
        says(&shell.run("ls"), "there.txt");
        shell.leave();
    }
}
