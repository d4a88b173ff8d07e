//! What a reader should know of the machine that a report was made on; never its name.

use lincah::ComputeOptions;
use std::ffi::OsString;
use std::sync::OnceLock;

static COMMAND: OnceLock<String> = OnceLock::new();

/// Processor, cores, system and device.
pub(crate) fn described(compute: ComputeOptions) -> String {
    let cores = std::thread::available_parallelism().map_or(String::from("?"), |cores| cores.to_string());
    let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    let processor = processor().map_or(String::new(), |name| format!("{name}, "));
    let device = compute.device;
    let precision = compute.precision.map_or(String::new(), |precision| format!(", {precision}"));
    format!("{processor}{cores} cores, {system}, device {device}{precision}")
}

/// The processor's name, where the system tells it in a file.
fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let (_, name) = text.lines().find(|line| line.starts_with("model name"))?.split_once(':')?;
    Some(name.trim().to_string())
}

/// Keeps the arguments, the first of which is the command's own name, for [`command`].
pub(crate) fn remember_command(arguments: &[OsString]) {
    let arguments = arguments.iter().skip(1).map(|argument| quoted(&argument.to_string_lossy()));
    let command = std::iter::once(String::from("lincah")).chain(arguments).collect::<Vec<_>>().join(" ");
    let _ = COMMAND.set(command);
}

/// The command as it could be typed again.
pub(crate) fn command() -> String {
    COMMAND.get().cloned().unwrap_or_default()
}

pub(crate) fn quoted(argument: &str) -> String {
    let plain = |character: char| character.is_alphanumeric() || "-_./,=:@%+".contains(character);
    if !argument.is_empty() && argument.chars().all(plain) {
        argument.to_string()
    } else {
        format!("'{}'", argument.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn arguments_are_quoted_for_a_shell() {
        assert_eq!(quoted("a/b-c.csv"), "a/b-c.csv");
        assert_eq!(quoted("it's here"), r"'it'\''s here'");
        assert_eq!((quoted(""), quoted("$(x)")), (String::from("''"), String::from("'$(x)'")));
    }
}
