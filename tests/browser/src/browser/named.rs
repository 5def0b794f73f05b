//! What is found by the role and the name under which a person, or a screen reader, knows it.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use serde_json::Value;

use super::{Browser, Element, SOON};

impl Browser {
    /// The first element that assistive technology presents with this role and a name that contains `text`.
    ///
    /// # Errors
    /// When there is none in time.
    pub fn role(&self, role: &str, text: &str) -> Result<Element> {
        self.wait(&format!("a {role} named {text:?}"), SOON, |page| {
            let likely = match role {
                "button" => "button, [role=button], input[type=submit], input[type=button], summary",
                "link" => "a[href], [role=link]",
                "heading" => "h1, h2, h3, h4, h5, h6, [role=heading]",
                _ => "body *",
            };
            for element in page.all(likely)? {
                let computed = |what| page.session.get(&format!("/element/{}/{what}", element.0));
                // An element that is redrawn between two calls is looked for again.
                let (Ok(its_role), Ok(name)) = (computed("computedrole"), computed("computedlabel")) else {
                    return Ok(None);
                };
                if its_role == role && name.as_str().is_some_and(|name| name.contains(text)) {
                    return Ok(Some(element));
                }
            }
            Ok(None)
        })
    }

    /// Presses the button that a person sees under this name, or one that contains it.
    ///
    /// # Errors
    /// When there is none in time that can be pressed.
    pub fn press_named(&self, name: &str) -> Result<()> {
        let start = Instant::now();
        loop {
            let pressed = self.role("button", name).and_then(|button| {
                let enabled = self.session.get(&format!("/element/{}/enabled", button.0))?;
                match enabled {
                    Value::Bool(true) => self.click(&button),
                    _ => Err(anyhow!("it is disabled")),
                }
            });
            match pressed {
                Ok(()) => return Ok(()),
                Err(error) if start.elapsed() > SOON => {
                    return Err(error.context(format!("{name:?} can't be pressed\n{}", self.state())));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(30)),
            }
        }
    }
}
