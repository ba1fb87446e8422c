//! Pieces of Rust code, laid out as rustfmt lays them out.

/// Longest line.
const WIDTH: usize = 100;
/// Longest list on one line, brackets included.
const SHORT_LIST: usize = 60;
/// Longest element of a list whose lines are filled.
const SHORT_ELEMENT: usize = 10;
/// Longest struct literal on one line.
const SHORT_STRUCT: usize = 18;

/// Name of a field, and the code of its value at its indentation.
pub(crate) type Field<'a> = (&'a str, &'a dyn Fn(&Layout) -> String);

/// Code of one expression, its lines after the first indented as deep as the place wants it.
pub(crate) struct Layout {
    /// Spaces before the line on which the expression begins.
    pub(crate) indent: usize,
}

impl Layout {
    pub(crate) fn at(indent: usize) -> Self {
        Self { indent }
    }

    fn inner(&self) -> Self {
        Self { indent: self.indent + 4 }
    }

    /// `[a, b]` with `open` and `close` as brackets; `element` gives the code of each at its indentation.
    fn list(&self, open: &str, close: &str, elements: Vec<String>) -> String {
        let one_line = format!("{open}{}{close}", elements.join(", "));
        let content = one_line.len() - open.len() - close.len();
        if content <= SHORT_LIST && !one_line.contains('\n') {
            return one_line;
        }
        let indent = " ".repeat(self.indent + 4);
        let mut text = format!("{open}\n");
        if elements.iter().all(|element| element.len() <= SHORT_ELEMENT) {
            let mut line = indent.clone();
            for element in elements {
                // The comma at the end counts.
                if line.len() > indent.len() && line.len() + element.len() + 2 > WIDTH {
                    text.push_str(line.trim_end());
                    text.push('\n');
                    line.clone_from(&indent);
                }
                line.push_str(&element);
                line.push_str(", ");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        } else {
            elements.iter().for_each(|element| text.push_str(&format!("{indent}{element},\n")));
        }
        text + &" ".repeat(self.indent) + close
    }

    /// `vec![...]` of elements that are code already, on one line each.
    pub(crate) fn vec(&self, elements: Vec<String>) -> String {
        self.list("vec![", "]", elements)
    }

    /// `vec![...]` of elements that may span lines.
    pub(crate) fn vec_of<T>(&self, values: &[T], code: impl Fn(&Layout, &T) -> String) -> String {
        // A single element that spans lines hangs on the brackets.
        if let [value] = values {
            return format!("vec![{}]", code(self, value));
        }
        self.vec(values.iter().map(|value| code(&self.inner(), value)).collect())
    }

    /// `&[...]`
    pub(crate) fn slice(&self, elements: Vec<String>) -> String {
        self.list("&[", "]", elements)
    }

    /// `&[...]` of elements that may span lines.
    pub(crate) fn slice_of<T>(&self, values: &[T], code: impl Fn(&Layout, &T) -> String) -> String {
        self.slice(values.iter().map(|value| code(&self.inner(), value)).collect())
    }

    /// `name(a, b)` of arguments on one line each.
    pub(crate) fn call(&self, name: &str, arguments: Vec<String>) -> String {
        self.list(&format!("{name}("), ")", arguments)
    }

    /// `Name { field: code, ... }`
    pub(crate) fn literal(&self, name: &str, fields: &[Field<'_>]) -> String {
        let inner = self.inner();
        let fields: Vec<String> =
            fields.iter().map(|(field, code)| format!("{field}: {}", code(&inner))).collect();
        let content = fields.join(", ");
        if content.len() <= SHORT_STRUCT && !content.contains('\n') {
            return format!("{name} {{ {content} }}");
        }
        let indent = " ".repeat(inner.indent);
        let lines: String = fields.iter().map(|field| format!("{indent}{field},\n")).collect();
        format!("{name} {{\n{lines}{}}}", " ".repeat(self.indent))
    }
}

/// A string that is owned.
pub(crate) fn text(value: &str) -> String {
    format!("{value:?}.to_owned()")
}

/// A double, exactly.
pub(crate) fn double(value: f64) -> String {
    special(value, "f64").unwrap_or_else(|| format!("{value:?}"))
}

/// A float, exactly.
pub(crate) fn float(value: f32) -> String {
    special(f64::from(value), "f32").unwrap_or_else(|| format!("{value:?}"))
}

fn special(value: f64, kind: &str) -> Option<String> {
    if value.is_nan() {
        Some(format!("{kind}::NAN"))
    } else if value.is_infinite() {
        Some(format!("{kind}::{}INFINITY", if value < 0.0 { "NEG_" } else { "" }))
    } else {
        None
    }
}

/// `Some(...)` or `None`.
pub(crate) fn option<T>(value: Option<T>, code: impl Fn(T) -> String) -> String {
    value.map_or_else(|| "None".to_owned(), |value| format!("Some({})", code(value)))
}

/// The code of each integer.
pub(crate) fn integers<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

/// Text for a comment of one line: a name from a file may hold anything.
pub(crate) fn comment(value: &str) -> String {
    value.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// The letters and digits of a name, for an identifier that has something before them.
pub(crate) fn identifier(name: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in name.split(|letter: char| !letter.is_ascii_alphanumeric()) {
        if !part.is_empty() {
            parts.push(part.to_ascii_lowercase());
        }
    }
    let mut joined = parts.join("_");
    joined.truncate(40);
    joined.trim_end_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_lists_stay_on_a_line_and_long_ones_are_filled() {
        let layout = Layout::at(0);
        assert_eq!(layout.vec(integers(&[1, -2])), "vec![1, -2]");
        let long = layout.vec(integers(&(1000..1040).collect::<Vec<i64>>()));
        let lines: Vec<&str> = long.lines().collect();
        assert_eq!(lines.len(), 5);
        assert!(lines.iter().all(|line| line.len() <= WIDTH), "{long}");
        assert!(lines[1].len() > WIDTH - 6);
    }

    #[test]
    fn literals_are_exact() {
        for value in [0.1f32, -0.0, f32::MIN_POSITIVE, 1e30] {
            assert_eq!(float(value).parse::<f32>().unwrap().to_bits(), value.to_bits());
        }
        assert_eq!(float(f32::NEG_INFINITY), "f32::NEG_INFINITY");
        assert_eq!(double(f64::NAN), "f64::NAN");
    }

    #[test]
    fn names_become_identifiers() {
        assert_eq!(identifier("/fc1/Gemm.output-0"), "fc1_gemm_output_0");
        assert_eq!(identifier("重み"), "");
        assert_eq!(comment("a\nb"), "a b");
    }
}
