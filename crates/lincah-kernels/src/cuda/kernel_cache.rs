//! The kernels' source, compiled for a device once and kept on disk.

use cudarc::nvrtc::{Ptx, result, sys};
use std::collections::hash_map::DefaultHasher;
use std::env;
use std::error::Error;
use std::ffi::CString;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};

/// One translation unit.
const SOURCE: &str = concat!(
    include_str!("elementwise.cu"),
    include_str!("rows.cu"),
    include_str!("lora.cu"),
    include_str!("attention.cu"),
    include_str!("attention_bf16.cu")
);

/// The kernels for a compute capability: from the cache, or compiled and put there. A cache that can't be read or written costs time only.
///
/// # Errors
/// If NVRTC refuses the source.
pub(super) fn compiled((major, minor): (i32, i32)) -> Result<Ptx, Box<dyn Error + Send + Sync>> {
    let (mut version_major, mut version_minor) = (0, 0);
    // SAFETY: both places are there to be written.
    unsafe { sys::nvrtcVersion(&mut version_major, &mut version_minor).result()? };
    let mut hasher = DefaultHasher::new();
    SOURCE.hash(&mut hasher);
    let name = format!("sm_{major}{minor}-nvrtc-{version_major}.{version_minor}-{:016x}.cubin", hasher.finish());
    let path = folder().map(|folder| folder.join(name));
    if let Some(kept) = path.as_deref().and_then(read) {
        return Ok(Ptx::from_binary(kept));
    }
    let binary = compile(&format!("--gpu-architecture=sm_{major}{minor}"))?;
    if let Some(path) = path {
        let _ = write(&path, &binary);
    }
    Ok(Ptx::from_binary(binary))
}

/// `kernels` in the folder that models are kept in.
fn folder() -> Option<PathBuf> {
    let path = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = path("LINCAH_HOME").or_else(|| path("XDG_CACHE_HOME").map(|cache| cache.join("lincah")));
    home.or_else(|| path("HOME").map(|home| home.join(".cache/lincah"))).map(|home| home.join("kernels"))
}

/// The file's bytes, if it begins and ends as it was written: a length before what it counts.
fn read(path: &Path) -> Option<Vec<u8>> {
    let bytes = fs::read(path).ok()?;
    let (length, binary) = bytes.split_first_chunk::<8>()?;
    (u64::from_le_bytes(*length) == binary.len() as u64 && !binary.is_empty()).then(|| binary.to_vec())
}

fn write(path: &Path, binary: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = fs::File::create(&temporary).and_then(|mut file| {
        file.write_all(&(binary.len() as u64).to_le_bytes())?;
        file.write_all(binary)?;
        file.sync_all()
    });
    let renamed = written.and_then(|()| fs::rename(&temporary, path));
    if renamed.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    renamed
}

/// Machine code for one architecture.
fn compile(architecture: &str) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    let source = CString::new(SOURCE)?;
    let program = result::create_program(&source, None)?;
    // SAFETY: the program was created above and is destroyed below, once.
    unsafe {
        let compiled = result::compile_program(program, &[architecture, "--std=c++17"]);
        let binary = compiled.and_then(|()| {
            let mut size = 0;
            sys::nvrtcGetCUBINSize(program, &mut size).result()?;
            let mut binary = vec![0u8; size];
            sys::nvrtcGetCUBIN(program, binary.as_mut_ptr().cast()).result()?;
            Ok(binary)
        });
        let log = result::get_program_log(program).unwrap_or_default();
        result::destroy_program(program)?;
        binary.map_err(|error| {
            let text: Vec<u8> = log.iter().map(|&byte| byte as u8).take_while(|&byte| byte != 0).collect();
            format!("{error:?}: {}", String::from_utf8_lossy(&text)).into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{read, write};

    #[test]
    fn a_kept_binary_comes_back_and_a_damaged_one_does_not() {
        let folder = env::temp_dir().join(format!("lincah-kernel-cache-{}", std::process::id()));
        let path = folder.join("a.cubin");
        assert_eq!(read(&path), None);
        write(&path, b"machine code").unwrap();
        assert_eq!(read(&path).unwrap(), b"machine code");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "no temporary is left");
        fs::write(&path, &fs::read(&path).unwrap()[..15]).unwrap();
        assert_eq!(read(&path), None);
        fs::remove_dir_all(&folder).unwrap();
    }

    use super::{env, fs};
}
