//! Giving up root.
//!
//! Opening an interface takes privileges, reading what comes from it does not, and that is where malformed input arrives.
//! A program that was started as root becomes an ordinary user with [`drop_to`] and keeps no more than the capabilities
//! that opening the interface again takes.
//!
//! User and group ids are set through the C library, which sets them in every thread of the process; the system's own
//! calls would change the calling thread alone. Capabilities belong to a thread: the calling thread keeps those asked for,
//! and threads that it starts later inherit them; threads that were there before lose all of theirs.
//!
//! On other systems than Linux there are no capabilities: nothing is kept, and an interface that has to be opened again
//! takes access to its device (`/dev/bpf`).
//!
//! Source: `capabilities(7)`, "Effect of user ID changes on capabilities"; `credentials(7)`.

use std::fmt;
use std::io;

use nix::errno::Errno;
use nix::unistd::{Gid, Uid, User, getegid, geteuid, setgid, setuid};

/// What a process may do that an ordinary user may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Open packet sockets (`CAP_NET_RAW`): what capturing takes.
    NetRaw,
    /// Configure interfaces (`CAP_NET_ADMIN`): hardware timestamps, for one.
    NetAdmin,
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NetRaw => "CAP_NET_RAW",
            Self::NetAdmin => "CAP_NET_ADMIN",
        })
    }
}

/// What the process runs as; shows as `user rockfish (uid 987, gid 987, groups 987 44) with CAP_NET_RAW`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunsAs {
    /// Name of the user.
    pub user: String,
    /// User id: real, effective and saved.
    pub uid: u32,
    /// Group id: real, effective and saved.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Capabilities of the calling thread and those that it starts. Empty on other systems than Linux.
    pub capabilities: Vec<Capability>,
}

impl fmt::Display for RunsAs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user {} (uid {}, gid {}, groups", self.user, self.uid, self.gid)?;
        for group in &self.groups {
            write!(f, " {group}")?;
        }
        write!(f, ") with {}", names(&self.capabilities))
    }
}

/// Why privileges were not given up. A program that gets one of these must end: it may have given up some of them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrivilegeError {
    /// There is no such user.
    #[error("user {user:?}: no such user, expected the name or the uid of one that exists")]
    UnknownUser {
        /// What was asked for.
        user: String,
    },
    /// The user has all privileges.
    #[error("user {user:?} is root, expected one without privileges")]
    Root {
        /// What was asked for.
        user: String,
    },
    /// Only root can become another user.
    #[error("cannot become user {user:?}: running with uid {uid}, expected to be started as root")]
    NotRoot {
        /// What was asked for.
        user: String,
        /// What the process runs as.
        uid: u32,
    },
    /// What is to be kept is not there.
    #[error("cannot keep {}: the process was started without, expected root with all capabilities", names(.missing))]
    Missing {
        /// Which.
        missing: Vec<Capability>,
    },
    /// The system refused a step.
    #[error("cannot become user {user:?}: {step} failed")]
    Step {
        /// What was asked for.
        user: String,
        /// What was tried.
        step: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// The system reported success, and it is not so.
    #[error("cannot become user {user:?}: afterwards {found}")]
    Unsafe {
        /// What was asked for.
        user: String,
        /// What was found and what was expected.
        found: String,
    },
}

impl PrivilegeError {
    /// Whether it is for the person to mend what was asked for, in contrast to a failure of the system.
    pub fn is_usage(&self) -> bool {
        !matches!(self, Self::Step { .. } | Self::Unsafe { .. })
    }
}

fn names(capabilities: &[Capability]) -> String {
    if capabilities.is_empty() {
        return "no capabilities".to_owned();
    }
    capabilities.iter().map(Capability::to_string).collect::<Vec<_>>().join(", ")
}

/// Becomes `user`, a name or a uid, with its group and supplementary groups, keeps of all capabilities only `keep`
/// (Linux), and can never get more again, not by running another program either. Afterwards it is tried whether root can
/// be had back.
///
/// A process that runs as that user already, as under a unit with `User=`, only gives up the capabilities that are not in
/// `keep`.
///
/// Call it in the main thread, once what only root can open is open, and before threads are started: those that are there
/// already keep no capability. Files opened later, logs for one, belong to the new user; so call it before
/// [`logging::init`](crate::logging::init).
///
/// # Errors
/// If there is no such user or it is root, if the process is neither root nor that user, if it lacks what is to be kept,
/// if the system refuses a step, or if root could be had back. The program must end then.
pub fn drop_to(user: &str, keep: &[Capability]) -> Result<RunsAs, PrivilegeError> {
    let entry = look_up(user)?;
    if entry.uid.is_root() {
        return Err(PrivilegeError::Root { user: user.to_owned() });
    }
    let becoming = Becoming { asked: user, entry: &entry };
    let now = geteuid();
    if !now.is_root() && now != entry.uid {
        return Err(PrivilegeError::NotRoot { user: user.to_owned(), uid: now.as_raw() });
    }
    let kept = system::Kept::find(keep)?;
    if now.is_root() {
        kept.hold().map_err(becoming.failed("keeping capabilities"))?;
        becoming.switch()?;
    }
    kept.limit().map_err(becoming.failed("giving up capabilities"))?;
    becoming.check(kept)
}

/// By name, else by number: a user whose name is a number goes before the one whose uid it is, as in `chown(1)`.
fn look_up(user: &str) -> Result<User, PrivilegeError> {
    let unknown = || PrivilegeError::UnknownUser { user: user.to_owned() };
    let missing = |result: nix::Result<Option<User>>| match result {
        // Without a user database there are no users.
        Err(Errno::ENOENT | Errno::ESRCH) => Ok(None),
        Err(errno) => Err(PrivilegeError::Step {
            user: user.to_owned(),
            step: "looking it up",
            source: errno.into(),
        }),
        Ok(found) => Ok(found),
    };
    if let Some(found) = missing(User::from_name(user))? {
        return Ok(found);
    }
    // Not what `parse` makes of a sign.
    if user.is_empty() || !user.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(unknown());
    }
    let uid = user.parse().map_err(|_| unknown())?;
    missing(User::from_uid(Uid::from_raw(uid)))?.ok_or_else(unknown)
}

/// One change of user.
struct Becoming<'a> {
    asked: &'a str,
    entry: &'a User,
}

impl Becoming<'_> {
    fn failed<E: Into<io::Error>>(&self, step: &'static str) -> impl FnOnce(E) -> PrivilegeError {
        let user = self.asked.to_owned();
        move |error| PrivilegeError::Step { user, step, source: error.into() }
    }

    /// Groups go first: without root they could not be changed.
    fn switch(&self) -> Result<(), PrivilegeError> {
        let groups = system::groups(self.entry).map_err(self.failed("looking up its groups"))?;
        system::set_groups(&groups).map_err(self.failed("setting the groups"))?;
        setgid(self.entry.gid).map_err(self.failed("setting the group id"))?;
        setuid(self.entry.uid).map_err(self.failed("setting the user id"))
    }

    /// What the process runs as now; it must be what was asked for, for good.
    fn check(&self, kept: system::Kept) -> Result<RunsAs, PrivilegeError> {
        let unsafe_as =
            |found: String| Err(PrivilegeError::Unsafe { user: self.asked.to_owned(), found });
        let (uid, gid) = (self.entry.uid, self.entry.gid);
        let uids = system::uids().map_err(self.failed("reading the user ids"))?;
        if uids.iter().any(|&found| found != uid) {
            return unsafe_as(format!("the user ids are {uids:?}, expected {uid} alone"));
        }
        if setuid(Uid::from_raw(0)).is_ok() || geteuid() != uid {
            return unsafe_as("root could be had back, expected this to fail".to_owned());
        }
        if !gid.as_raw().eq(&0) && setgid(Gid::from_raw(0)).is_ok() {
            return unsafe_as("group 0 could be had back, expected this to fail".to_owned());
        }
        let found = kept.found().map_err(self.failed("reading capabilities"))?;
        if let Some(found) = found {
            return unsafe_as(format!("capabilities are {found}, expected {}", names(kept.list())));
        }
        let groups = system::current_groups().map_err(self.failed("reading the groups"))?;
        Ok(RunsAs {
            user: self.entry.name.clone(),
            uid: uid.as_raw(),
            gid: getegid().as_raw(),
            groups: groups.into_iter().map(Gid::as_raw).collect(),
            capabilities: kept.list().to_vec(),
        })
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::ffi::CString;
    use std::io;

    use nix::errno::Errno;
    use nix::unistd::{self, Gid, Uid, User};
    use rustix::thread::{
        CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, no_new_privs,
        set_capabilities, set_keep_capabilities, set_no_new_privs,
    };

    use super::{Capability, PrivilegeError};

    /// The capabilities that stay.
    #[derive(Clone)]
    pub(super) struct Kept {
        list: Vec<Capability>,
        set: CapabilitySet,
    }

    impl Kept {
        pub(super) fn find(keep: &[Capability]) -> Result<Self, PrivilegeError> {
            let mut kept = Self { list: Vec::new(), set: CapabilitySet::empty() };
            let permitted =
                capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.permitted);
            let mut missing = Vec::new();
            for &capability in keep {
                let bit = match capability {
                    Capability::NetRaw => CapabilitySet::NET_RAW,
                    Capability::NetAdmin => CapabilitySet::NET_ADMIN,
                };
                if kept.set.contains(bit) {
                    continue;
                }
                kept.set |= bit;
                kept.list.push(capability);
                if !permitted.contains(bit) {
                    missing.push(capability);
                }
            }
            if missing.is_empty() { Ok(kept) } else { Err(PrivilegeError::Missing { missing }) }
        }

        /// Lets the permitted capabilities of this thread outlive the change of user.
        pub(super) fn hold(&self) -> io::Result<()> {
            Ok(set_keep_capabilities(true)?)
        }

        /// Gives up all but those kept. A program that this one runs gets none of them, nor anything else that it would get
        /// from its file (set-user-id, file capabilities): the bounding set does not matter then.
        pub(super) fn limit(&self) -> io::Result<()> {
            set_keep_capabilities(false)?;
            // Lowering the inheritable set lowers the ambient one, but for kernels that have no ambient set.
            set_capabilities(None, self.wanted())?;
            match clear_ambient_capability_set() {
                Ok(()) | Err(rustix::io::Errno::INVAL) => {}
                Err(error) => return Err(error.into()),
            }
            Ok(set_no_new_privs(true)?)
        }

        /// What is otherwise than wanted, if anything is.
        pub(super) fn found(&self) -> io::Result<Option<String>> {
            let found = capabilities(None)?;
            if found != self.wanted() {
                return Ok(Some(format!("{found:?}")));
            }
            Ok((!no_new_privs()?).then(|| "to be had by running a program".to_owned()))
        }

        pub(super) fn list(&self) -> &[Capability] {
            &self.list
        }

        fn wanted(&self) -> CapabilitySets {
            CapabilitySets {
                effective: self.set,
                permitted: self.set,
                inheritable: CapabilitySet::empty(),
            }
        }
    }

    pub(super) fn groups(user: &User) -> io::Result<Vec<Gid>> {
        let name = CString::new(user.name.as_str())?;
        Ok(unistd::getgrouplist(&name, user.gid)?)
    }

    pub(super) fn set_groups(groups: &[Gid]) -> Result<(), Errno> {
        unistd::setgroups(groups)
    }

    pub(super) fn current_groups() -> Result<Vec<Gid>, Errno> {
        unistd::getgroups()
    }

    /// Real, effective and saved.
    pub(super) fn uids() -> Result<Vec<Uid>, Errno> {
        let ids = unistd::getresuid()?;
        Ok(vec![ids.real, ids.effective, ids.saved])
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;

    use nix::errno::Errno;
    use nix::unistd::{self, Gid, Uid, User};

    use super::{Capability, PrivilegeError};

    /// Nothing stays.
    pub(super) struct Kept;

    impl Kept {
        pub(super) fn find(_keep: &[Capability]) -> Result<Self, PrivilegeError> {
            Ok(Self)
        }

        pub(super) fn hold(&self) -> io::Result<()> {
            Ok(())
        }

        pub(super) fn limit(&self) -> io::Result<()> {
            Ok(())
        }

        pub(super) fn found(&self) -> io::Result<Option<String>> {
            Ok(None)
        }

        pub(super) fn list(&self) -> &[Capability] {
            &[]
        }
    }

    #[cfg(not(target_vendor = "apple"))]
    pub(super) fn groups(user: &User) -> io::Result<Vec<Gid>> {
        let name = std::ffi::CString::new(user.name.as_str())?;
        Ok(unistd::getgrouplist(&name, user.gid)?)
    }

    #[cfg(not(target_vendor = "apple"))]
    pub(super) fn set_groups(groups: &[Gid]) -> Result<(), Errno> {
        unistd::setgroups(groups)
    }

    #[cfg(not(target_vendor = "apple"))]
    pub(super) fn current_groups() -> Result<Vec<Gid>, Errno> {
        unistd::getgroups()
    }

    /// The system keeps groups outside the process there, and root's would stay.
    #[cfg(target_vendor = "apple")]
    pub(super) fn groups(_user: &User) -> io::Result<Vec<Gid>> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }

    #[cfg(target_vendor = "apple")]
    pub(super) fn set_groups(_groups: &[Gid]) -> Result<(), Errno> {
        Err(Errno::ENOTSUP)
    }

    #[cfg(target_vendor = "apple")]
    pub(super) fn current_groups() -> Result<Vec<Gid>, Errno> {
        Ok(Vec::new())
    }

    /// Real and effective.
    pub(super) fn uids() -> Result<Vec<Uid>, Errno> {
        Ok(vec![unistd::getuid(), unistd::geteuid()])
    }
}
