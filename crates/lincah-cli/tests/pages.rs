//! Reports in headless Chromium: light, dark, on paper, on a narrow screen; silent, and still on the network.
//!
//! The pictures are left in the target folder's `tmp/pages` to be looked at.

mod support;

use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use support::Bench;

/// Opens the page in a wide and a narrow frame, and in one as wide as A4 with the rules for paper, and writes down what it finds.
const PROBE: &str = r#"<!DOCTYPE html><link rel="icon" href="data:,"><body style="margin:0">
<iframe id="wide" width="1000" height="900" style="border:0" src="/page.html"></iframe>
<iframe id="narrow" width="400" height="900" style="border:0" src="/page.html"></iframe>
<iframe id="paper" width="718" height="900" style="border:0" src="/paper.html"></iframe>
<pre id="found"></pre><script>
addEventListener('load', () => {
  const of = frame => {
    const page = frame.contentDocument, root = page.documentElement, style = frame.contentWindow.getComputedStyle(page.body);
    const plots = [...page.querySelectorAll('svg')].map(svg => {
      const box = svg.getBoundingClientRect(), text = svg.querySelector('text').getBoundingClientRect();
      return {x: box.x, y: box.y, width: box.width, height: box.height, text: text.height};
    });
    const series = page.querySelector('svg .s1');
    return {overflow: root.scrollWidth - root.clientWidth, height: root.scrollHeight, ground: style.backgroundColor, ink: style.color,
      series: series && frame.contentWindow.getComputedStyle(series).color, plots, scripts: page.scripts.length,
      open: page.querySelectorAll('details[open]').length, details: page.querySelectorAll('details').length,
      requests: frame.contentWindow.performance.getEntriesByType('resource').map(entry => entry.name)};
  };
  const found = Object.fromEntries(['wide', 'narrow', 'paper'].map(id => [id, of(document.getElementById(id))]));
  document.getElementById('found').textContent = JSON.stringify(found);
});
</script>"#;

/// Serves the probe and the page on the loopback, and remembers what was asked for.
struct Server {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn new(page: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (page, log) = (page.clone(), log.clone());
                std::thread::spawn(move || answer(stream, &page, &log));
            }
        });
        Self { address, asked }
    }
}

fn answer(mut stream: TcpStream, page: &str, log: &Mutex<Vec<String>>) -> Option<()> {
    let mut bytes = [0; 4096];
    let read = stream.read(&mut bytes).ok().filter(|&read| read > 0)?;
    let request = String::from_utf8_lossy(&bytes[..read]).into_owned();
    let path = request.split(' ').nth(1)?.to_string();
    let (status, body) = match path.as_str() {
        "/probe.html" => ("200 OK", PROBE.to_string()),
        "/page.html" => ("200 OK", page.to_string()),
        "/paper.html" => ("200 OK", page.replace("@media print", "@media all")),
        _ => ("404 Not Found", String::new()),
    };
    log.lock().unwrap().push(path);
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).ok()
}

/// A browser with a profile of its own; `dark` is what the reader's system prefers.
fn chromium(dark: bool, rest: &[String]) -> (String, String) {
    let profile = tempfile::tempdir().unwrap();
    let scheme = format!("--blink-settings=preferredColorScheme={}", u8::from(!dark));
    let output = Command::new(std::env::var_os("CHROMIUM").unwrap_or_else(|| "chromium".into()))
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr", "--no-first-run"])
        .args(["--no-pdf-header-footer", "--virtual-time-budget=20000", "--force-device-scale-factor=1", &scheme])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(rest)
        .output()
        .expect("chromium starts; install it or name it in CHROMIUM");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}", text(&output.stderr));
    (text(&output.stdout), text(&output.stderr))
}

/// What the probe found, what the console says, what was asked of the server.
fn probe(page: &str, dark: bool) -> (Value, Vec<String>, Vec<String>) {
    let server = Server::new(page.to_string());
    let (html, log) = chromium(dark, &[String::from("--dump-dom"), format!("{}/probe.html", server.address)]);
    let found = html.split("<pre id=\"found\">").nth(1).and_then(|rest| rest.split("</pre>").next()).expect("the probe ran");
    let console = log.lines().filter(|line| line.contains("CONSOLE")).map(str::to_string).collect();
    let mut asked = server.asked.lock().unwrap().clone();
    asked.retain(|path| !["/probe.html", "/page.html", "/paper.html"].contains(&path.as_str()));
    (serde_json::from_str(&found.replace("&amp;", "&")).expect(found), console, asked)
}

fn pictures(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

/// A picture of the whole page, 1000 pixels wide.
fn screenshot(page: &str, dark: bool, height: u64, name: &str) -> resvg::tiny_skia::Pixmap {
    let (server, file) = (Server::new(page.to_string()), pictures(name));
    let _ = std::fs::remove_file(&file);
    let size = format!("--window-size=1000,{height}");
    chromium(dark, &[format!("--screenshot={}", file.display()), size, format!("{}/page.html", server.address)]);
    resvg::tiny_skia::Pixmap::load_png(&file).unwrap()
}

/// The printed page.
fn paper(page: &str, name: &str) -> Vec<u8> {
    let (server, file) = (Server::new(page.to_string()), pictures(name));
    let _ = std::fs::remove_file(&file);
    chromium(false, &[format!("--print-to-pdf={}", file.display()), format!("{}/page.html", server.address)]);
    std::fs::read(&file).unwrap()
}

fn colour(css: &Value) -> [u8; 3] {
    let numbers =
        css.as_str().unwrap().trim_start_matches("rgb(").trim_end_matches(')').split(", ").map(|part| part.parse().unwrap());
    numbers.collect::<Vec<u8>>().try_into().unwrap()
}

fn luminance(colour: [u8; 3]) -> f64 {
    let linear = |part: u8| {
        let part = f64::from(part) / 255.0;
        if part <= 0.03928 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(colour[0]) + 0.7152 * linear(colour[1]) + 0.0722 * linear(colour[2])
}

/// The contrast of the Web Content Accessibility Guidelines, from 1 to 21.
fn contrast(left: [u8; 3], right: [u8; 3]) -> f64 {
    let (left, right) = (luminance(left), luminance(right));
    (left.max(right) + 0.05) / (left.min(right) + 0.05)
}

/// Holds a page to all that a reader may expect, in the colours of one preference; gives its ground.
fn check(page: &str, dark: bool, plots: usize, name: &str) -> [u8; 3] {
    let (found, console, asked) = probe(page, dark);
    assert_eq!(console, Vec::<String>::new(), "{name}: the console is silent");
    assert_eq!(asked, Vec::<String>::new(), "{name}: nothing is fetched");
    for (frame, found) in found.as_object().unwrap() {
        assert_eq!(found["overflow"], 0, "{name}, {frame}: no part is wider than the page");
        assert_eq!(found["requests"], serde_json::json!([]), "{name}");
        assert_eq!((&found["scripts"], &found["open"]), (&Value::from(0), &Value::from(0)), "{name}");
        assert_eq!(found["plots"].as_array().unwrap().len(), plots, "{name}");
        for plot in found["plots"].as_array().unwrap() {
            assert!(plot["text"].as_f64().unwrap() >= 9.0, "{name}, {frame}: text in plots can be read: {plot}");
        }
    }
    let wide = &found["wide"];
    let (ground, ink) = (colour(&wide["ground"]), colour(&wide["ink"]));
    assert_eq!(luminance(ground) < 0.1, dark, "{name}");
    assert!(contrast(ground, ink) > 7.0, "{name}");
    let picture = screenshot(page, dark, wide["height"].as_u64().unwrap(), &format!("{name}.png"));
    assert_eq!(picture.width(), 1000);
    let pixel = |x: f64, y: f64| picture.pixel(x as u32, y as u32).map(|found| [found.red(), found.green(), found.blue()]);
    assert_eq!(pixel(2.0, 2.0), Some(ground), "{name}");
    if plots > 0 {
        let series = colour(&wide["series"]);
        assert!(contrast(ground, series) > 3.0, "{name}");
        let mut lines = 0;
        for (index, plot) in wide["plots"].as_array().unwrap().iter().enumerate() {
            let [x, y, width, height] = ["x", "y", "width", "height"].map(|key| plot[key].as_f64().unwrap());
            let places =
                (0..height as usize).flat_map(|row| (0..width as usize).map(move |column| (column as f64 + x, row as f64 + y)));
            let colours: Vec<[u8; 3]> = places.filter_map(|(x, y)| pixel(x, y)).collect();
            let other = colours.iter().filter(|&&found| found != ground).count();
            assert!(other * 40 > colours.len() && other < colours.len(), "{name}: plot {index} is neither blank nor full");
            let near = |found: &[u8; 3]| found.iter().zip(series).all(|(&left, right)| left.abs_diff(right) < 40);
            let has_line = colours.iter().filter(|found| near(found)).count() > 60;
            lines += usize::from(has_line);
            // The confusion matrix has its colours pale; of many labels, some have one row, whose bars and points are small.
            assert!(has_line || index == 0 && plots > 2 || plots > 5, "{name}: plot {index} has a line");
        }
        assert!(lines >= plots / 2, "{name}: {lines} of {plots} plots have a line");
    }
    ground
}

fn check_all(page: &str, plots: usize, name: &str) {
    let light = check(page, false, plots, &format!("{name}-light"));
    let dark = check(page, true, plots, &format!("{name}-dark"));
    assert!(contrast(light, dark) > 10.0);
    // Chromium prints in light colours whatever the screen's are; how paper looks, the picture shows.
    let paper = paper(page, &format!("{name}.pdf"));
    let pages = paper.windows(12).filter(|part| part.starts_with(b"/Type /Page") && part[11] != b's').count();
    assert!(paper.starts_with(b"%PDF-") && (2..=10).contains(&pages), "{name}: {pages} pages");
}

#[test]
#[ignore = "needs chromium"]
fn chromium_finds_what_is_wrong_with_a_page() {
    let page = "<!DOCTYPE html><body style='background:#fff;color:#000'><img src='/picture.png'><div style='width:2000px'>x</div>\
        <script>console.error('spoken')</script>";
    let (found, console, asked) = probe(page, false);
    assert!(found["narrow"]["overflow"].as_u64().unwrap() > 1000 && found["wide"]["scripts"] == 1, "{found}");
    assert!(console.iter().any(|line| line.contains("spoken")), "{console:?}");
    assert!(asked.contains(&String::from("/picture.png")), "{asked:?}");
}

#[test]
#[ignore = "needs chromium"]
fn reports_look_right_in_chromium() {
    let bench = Bench::new();
    let report = |command: &str| {
        bench.run(&format!("report {command} --out page.html")).ok();
        std::fs::read_to_string(bench.path("page.html")).unwrap()
    };
    let data = "data.csv --text comment --label label";
    bench.run(&format!("train {data} --labels A,B --model model --learning-rate 0.002 --epochs 2 --holdout 16 --out out")).ok();
    check_all(&report(&format!("out {data} --holdout 16")), 5, "classifier");
    let grid = "--train-size 8,16 --epochs 1,2,4 --seed 1,2 --schedule constant --warmup 0";
    bench.run(&format!("sweep {data} --labels A,B --model model --learning-rate 0.004 --holdout 8 {grid} --out grid")).ok();
    check_all(&report("grid --codelab-points"), 2, "sweep");
    let mut csv = String::from("comment,label\n");
    for row in 0..60 {
        csv += &format!("text{row} {},a_label_with_a_name_{:02}\n", "w".repeat(row * 9), row % 12);
    }
    bench.write("many.csv", csv);
    let many = "many.csv --text comment --label label";
    bench.run(&format!("train {many} --model model --epochs 1 --max-tokens 480 --holdout 24 --out many")).ok();
    check_all(&report(&format!("many {many} --holdout 24")), 44, "many-labels");
}
