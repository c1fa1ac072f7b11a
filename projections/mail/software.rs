//! What a browser says about itself, as people call it.

use woothee::parser::Parser;

/// The value of a variable in a mail that is not known. The texts have words of their own for it.
pub(super) const UNKNOWN: &str = "unknown";

/// The browser and the operating system of somebody who logged in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Software {
    /// The browser. `None` if it is not a known one.
    pub browser: Option<String>,
    /// The operating system. `None` if it is not a known one.
    pub system: Option<String>,
}

impl Software {
    /// Reads a User-Agent header (RFC 9110, section 10.1.5). Names only what is in a list of known programs, so that the
    /// header can bring no text of its own into a mail.
    #[must_use]
    pub fn of(user_agent: &str) -> Self {
        let Some(read) = Parser::new().parse(user_agent) else { return Self::default() };
        let listed = |name: &str| (!name.is_empty() && name != "UNKNOWN").then(|| name.to_owned());
        let system = match read.os {
            "Mac OSX" => "macOS",
            // Newer versions all say that they are Windows 10.
            name if name.starts_with("Windows Phone") => "Windows Phone",
            name if name.starts_with("Windows") => "Windows",
            name => name,
        };
        let browser = match read.name {
            "SamsungBrowser" => "Samsung Internet",
            "HTTP Library" => "",
            name => name,
        };
        Self { browser: listed(browser), system: listed(system) }
    }
}

#[cfg(test)]
mod tests {
    use super::Software;

    #[test]
    fn a_browser_is_called_as_people_call_it() {
        let said = [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
                "Chrome",
                "Windows",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0",
                "Edge",
                "Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
                "Safari",
                "iPhone",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/130.0 Mobile/15E148 Safari/604.1",
                "Chrome",
                "iPhone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36",
                "Samsung Internet",
                "Android",
            ),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0", "Firefox", "Linux"),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
                "Safari",
                "macOS",
            ),
        ];
        for (header, browser, system) in said {
            let expected = Software { browser: Some(browser.to_owned()), system: Some(system.to_owned()) };
            assert_eq!(Software::of(header), expected, "{header}");
        }
    }

    #[test]
    fn what_is_not_in_the_list_is_not_named() {
        for header in ["", "Call +32 2 555 01 02 now", "curl/8.5.0", "<b>Mozilla</b>"] {
            assert_eq!(Software::of(header), Software::default(), "{header}");
        }
    }
}
