//! A real browser: Chromium, driven by `ChromeDriver` (Debian's packages `chromium` and `chromium-driver`).

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::elements::Element;
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::skip;

/// How a browser is set up.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// The language that it asks for.
    pub language: &'static str,
    pub has_script: bool,
    pub is_dark: bool,
    /// The size of the window, in CSS pixels.
    pub size: (u32, u32),
}

impl Setup {
    pub const DESKTOP: Self = Self { language: "en", has_script: true, is_dark: false, size: (1200, 900) };
    pub const PHONE: Self = Self { size: (390, 844), ..Self::DESKTOP };
}

/// A browser with a profile of its own. It ends with the test.
pub struct Browser {
    pub client: Client,
    driver: Child,
    url: String,
    profile: TempDir,
}

/// Reads a log of the browser, as `ChromeDriver` offers it.
#[derive(Debug)]
struct ReadLog(&'static str);

impl WebDriverCompatibleCommand for ReadLog {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(json!({ "type": self.0 }).to_string()))
    }
}

impl Browser {
    /// Starts a browser that visits this server. `None` if there is none on this machine.
    #[track_caller]
    pub fn is_there(test: &str) -> bool {
        skip::unless_installed(test, "chromium") && skip::unless_installed(test, "chromedriver")
    }

    pub async fn start(url: &str, setup: Setup) -> Self {
        let mut driver = Command::new("chromedriver")
            .args(["--port=0", "--log-level=WARNING"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let said = BufReader::new(driver.stdout.take().unwrap());
        let port = said
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                line.split_once("started successfully on port ")?.1.trim_end_matches('.').parse::<u16>().ok()
            })
            .unwrap();
        let profile = tempfile::tempdir().unwrap();
        let (width, height) = setup.size;
        let mut arguments = vec![
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--hide-scrollbars".to_owned(),
            format!("--window-size={width},{height}"),
            format!("--user-data-dir={}", profile.path().display()),
            format!("--lang={}", setup.language),
        ];
        if setup.is_dark {
            arguments.push("--blink-settings=preferredColorScheme=0".to_owned());
        }
        let script = if setup.has_script { 1 } else { 2 };
        let mut options = json!({
            "args": arguments,
            "prefs": {
                "intl.accept_languages": setup.language,
                "profile.managed_default_content_settings.javascript": script,
                "credentials_enable_service": false,
                "profile.password_manager_leak_detection": false,
            },
        });
        if width < 600 {
            options["mobileEmulation"] =
                json!({ "deviceMetrics": { "width": width, "height": height, "pixelRatio": 2.0 } });
        }
        let wanted = json!({
            "timeouts": { "script": 20_000, "pageLoad": 20_000, "implicit": 0 },
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        });
        let wanted: Capabilities = serde_json::from_value(wanted).unwrap();
        let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(wanted)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        Self { client, driver, url: url.to_owned(), profile }
    }

    /// Opens a page of the server.
    pub async fn open(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.url)).await.unwrap();
    }

    /// The path of the page, with its query.
    pub async fn path(&self) -> String {
        let url = self.client.current_url().await.unwrap();
        url.as_str().strip_prefix(&self.url).unwrap_or(url.as_str()).to_owned()
    }

    /// The text of the page that a person reads.
    pub async fn text(&self) -> String {
        self.client.find(Locator::Css("body")).await.unwrap().text().await.unwrap()
    }

    /// Waits until the page says something.
    pub async fn reads(&self, text: &str) {
        let begun = Instant::now();
        loop {
            let said = match self.client.find(Locator::Css("body")).await {
                Ok(body) => body.text().await.unwrap_or_default(),
                Err(_) => String::new(),
            };
            if said.contains(text) {
                return;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(15),
                "'{text}' is not on {}:\n{said}",
                self.path().await
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// How many elements match.
    pub async fn count(&self, css: &str) -> usize {
        self.client.find_all(Locator::Css(css)).await.unwrap().len()
    }

    /// What stands in the cells of the row of a table with this head.
    pub async fn row(&self, head: &str) -> Vec<String> {
        let path = format!("//tr[th[normalize-space()=\"{head}\"]]/td");
        let mut cells = Vec::new();
        for cell in self.client.find_all(Locator::XPath(&path)).await.unwrap() {
            cells.push(cell.text().await.unwrap().trim().to_owned());
        }
        cells
    }

    /// Waits until the page has something.
    pub async fn find(&self, css: &str) -> Element {
        let begun = Instant::now();
        loop {
            match self.client.find(Locator::Css(css)).await {
                Ok(found) => return found,
                Err(_) if begun.elapsed() < Duration::from_secs(15) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(error) => {
                    panic!("{css} is not on {}: {error}\n{}", self.path().await, self.text().await)
                }
            }
        }
    }

    pub async fn has(&self, css: &str) -> bool {
        !self.client.find_all(Locator::Css(css)).await.unwrap().is_empty()
    }

    /// Fills a field in, in place of what it has.
    pub async fn fill(&self, name: &str, value: &str) {
        let field = self.find(&format!("main [name='{name}']:not([type=hidden])")).await;
        field.clear().await.unwrap();
        field.send_keys(value).await.unwrap();
    }

    /// Chooses an entry of a list, a radio button or a box, by its value.
    pub async fn choose(&self, name: &str, value: &str) {
        if self.has(&format!("main select[name='{name}']")).await {
            self.find(&format!("main select[name='{name}']")).await.select_by_value(value).await.unwrap();
        } else {
            self.find(&format!("main input[name='{name}'][value='{value}']")).await.click().await.unwrap();
        }
    }

    /// Presses the button, or follows the link, with this text.
    pub async fn press(&self, text: &str) {
        let path = format!(
            "//button[normalize-space()=\"{text}\"] | //a[normalize-space()=\"{text}\"] | //summary[normalize-space()=\"{text}\"] | //a[strong[normalize-space()=\"{text}\"]]"
        );
        let found = self.client.find_all(Locator::XPath(&path)).await.unwrap();
        for element in &found {
            if element.is_displayed().await.unwrap() {
                return element.click().await.unwrap();
            }
        }
        panic!("there is nothing to press with '{text}' on {}:\n{}", self.path().await, self.text().await);
    }

    /// Fetches the target of the first link with this text, as a download does: its type, and its size in bytes.
    pub async fn download(&self, text: &str) -> (String, u64) {
        let script = "const done = arguments[arguments.length - 1];
            const link = [...document.links].find((link) => link.textContent === arguments[0]);
            fetch(link.href).then(async (answer) => {
                const content = await answer.arrayBuffer();
                done([answer.headers.get('content-type'), content.byteLength]);
            });";
        let answer = self.client.execute_async(script, vec![text.into()]).await.unwrap();
        (answer[0].as_str().unwrap_or_default().to_owned(), answer[1].as_u64().unwrap_or_default())
    }

    /// What the console of the browser says, errors alone. A status of ours that is no success is none.
    pub async fn console_errors(&self) -> Vec<String> {
        let entries = self.log("browser").await;
        let is_wrong = |entry: &&Value| {
            let is_status = entry["message"]
                .as_str()
                .unwrap_or_default()
                .contains("the server responded with a status of");
            entry["level"] == "SEVERE" && !is_status
        };
        entries.iter().filter(is_wrong).map(|entry| entry["message"].to_string()).collect()
    }

    /// The hosts that pages sent requests to since the last call, and the bytes of the largest first load.
    pub async fn hosts(&self) -> BTreeSet<String> {
        let events = self.events().await;
        let requests = events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        let urls = requests.filter_map(|event| event["params"]["request"]["url"].as_str());
        let hosts =
            urls.filter_map(|url| url::Url::parse(url).ok()).filter(|url| url.scheme().starts_with("http"));
        hosts
            .map(|url| {
                format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(0))
            })
            .collect()
    }

    /// The bytes that came over the network since the last call.
    pub async fn bytes(&self) -> u64 {
        let events = self.events().await;
        let ended = events.iter().filter(|event| event["method"] == "Network.loadingFinished");
        let sizes = ended.filter_map(|event| event["params"]["encodedDataLength"].as_f64());
        sizes.map(|size| format!("{size:.0}").parse::<u64>().unwrap()).sum()
    }

    async fn events(&self) -> Vec<Value> {
        let entries = self.log("performance").await;
        let messages = entries.iter().filter_map(|entry| entry["message"].as_str());
        messages.map(|message| serde_json::from_str::<Value>(message).unwrap()["message"].clone()).collect()
    }

    async fn log(&self, kind: &'static str) -> Vec<Value> {
        let entries = self.client.issue_cmd(ReadLog(kind)).await.unwrap();
        entries.as_array().unwrap().clone()
    }

    /// What axe-core finds wrong with the page (WCAG 2.2, levels A and AA).
    pub async fn violations(&self, axe: &PathBuf) -> Vec<String> {
        let library = std::fs::read_to_string(axe).unwrap();
        self.client.execute(&library, Vec::new()).await.unwrap();
        let run = "const done = arguments[arguments.length - 1]; \
            axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }).then(done);";
        let found = self.client.execute_async(run, Vec::new()).await.unwrap();
        let violations = found["violations"].as_array().unwrap().iter();
        violations
            .map(|found| format!("{}: {} {}", found["id"], found["help"], found["nodes"][0]["html"]))
            .collect()
    }

    /// A picture of the whole page.
    pub async fn screenshot(&self) -> Vec<u8> {
        let height =
            self.client.execute("return document.documentElement.scrollHeight", Vec::new()).await.unwrap();
        let height = height.as_u64().map_or(900, |height| u32::try_from(height).unwrap().clamp(700, 6000));
        let (width, _) = self.client.get_window_size().await.map_or((1200, 900), |size| (size.0, size.1));
        self.client.set_window_size(u32::try_from(width).unwrap_or(1200), height).await.unwrap();
        self.client.screenshot().await.unwrap()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Nothing has anything to save. All processes of Chromium name their profile.
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        let profile = self.profile.path().display().to_string();
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        for process in processes {
            let command = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&command).contains(&profile) {
                let _ =
                    Command::new("kill").arg("-KILL").arg(process.file_name()).stderr(Stdio::null()).status();
            }
        }
    }
}
