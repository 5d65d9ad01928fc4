"""Whether a test may mount file systems that nobody else sees."""
import subprocess
import tempfile

# as root with the right to it; as anyone where the system lets everybody make a user namespace
WAYS = (["unshare", "--mount", "--propagation", "private"],
        ["unshare", "--user", "--map-root-user", "--mount", "--propagation", "private"])


def private_mounts():
    """(words, None): words that start a command that may mount and remount; or (None, why nobody may here): a
    container without CAP_SYS_ADMIN, a chroot whose root is no mount point, a user without namespaces."""
    why = []
    with tempfile.TemporaryDirectory() as folder:
        for words in WAYS:
            tried = subprocess.run([*words, "sh", "-c", 'mount -t tmpfs -o size=1m tmpfs "$0" && '
                                    'mount -o remount,size=2m "$0" && umount "$0"', folder],
                                   capture_output=True, text=True, check=False)
            if tried.returncode == 0:
                return words, None
            why.append(tried.stderr.strip())
    return None, "; ".join(why)
