//! The beginning of a statement for an error: enough to find it, and no more of its values than that.

/// Most characters shown.
const SHOWN_CHARS: usize = 200;
/// Longest value that is shown whole.
const VALUE_CHARS: usize = 12;
/// Most bytes looked at.
const LOOKED_AT_BYTES: usize = 4096;

/// The beginning of a statement, on one line, with long values cut.
pub(super) fn excerpt(statement: &[u8]) -> String {
    let head = statement.get(..LOOKED_AT_BYTES).unwrap_or(statement);
    let text = String::from_utf8_lossy(head);
    let mut shown = String::new();
    let mut value: Option<(char, usize)> = None;
    let mut escaped = false;
    for character in text.chars() {
        if shown.chars().count() >= SHOWN_CHARS {
            shown.push('…');
            return shown;
        }
        let character = if character.is_control() { ' ' } else { character };
        match &mut value {
            None => {
                if character == '\'' || character == '"' {
                    value = Some((character, 0));
                }
                shown.push(character);
            }
            Some((quote, length)) => {
                let ends = character == *quote && !escaped;
                escaped = character == '\\' && !escaped;
                *length += 1;
                if ends {
                    shown.push(character);
                    value = None;
                } else if *length <= VALUE_CHARS {
                    shown.push(character);
                } else if *length == VALUE_CHARS + 1 {
                    shown.push('…');
                }
            }
        }
    }
    if head.len() < statement.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests;
