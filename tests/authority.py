"""A certificate authority of the openssl program's, for the tests of C1 and C2."""

import base64
import os
import struct
import subprocess

SOFTWARE, HARDWARE = "1.3.6.1.4.1.99999.1", "1.3.6.1.4.1.99999.2"
CONFIG = """
[ca]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[chain]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[person]
basicConstraints = CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = {purpose}
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
certificatePolicies = {policy}
subjectAltName = email:{email}
[crl]
database = {dir}/index
default_md = sha256
"""


class Authority:
    """A certificate authority of the openssl program's."""

    def __init__(self, directory, name="ca"):
        self.dir = str(directory)
        self.name = name
        os.chmod(self.dir, 0o755)
        self.ca = self.file(name + ".pem")
        self.crl = self.file("crl.pem")
        open(self.file("index"), "w").close()
        self.serial = 4096
        self.write_config()
        self.key("ed25519", name)
        self.openssl("req", "-new", "-x509", "-key", self.file(name + ".key"), "-out", self.ca,
                     "-days", "3650", "-subj", "/O=Trust/CN=" + name, "-config",
                     self.file("config"), "-extensions", "ca")
        os.chmod(self.ca, 0o644)

    def file(self, name):
        return os.path.join(self.dir, name)

    def write_config(self, policy=SOFTWARE, email="games@example.org", purpose="clientAuth"):
        with open(self.file("config"), "w") as f:
            f.write("[req]\ndistinguished_name = dn\n[dn]\n" + CONFIG.format(
                policy=policy, email=email, purpose=purpose, dir=self.dir))

    def openssl(self, *args, **how):
        return subprocess.run(["openssl", *args], check=True, capture_output=True, **how).stdout

    def key(self, kind, name):
        how = {"rsa": ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
               "ec": ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
               "ec384": ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"),
               "ed25519": ("-algorithm", "ED25519")}[kind]
        self.openssl("genpkey", *how, "-out", self.file(name + ".key"))

    def certificate(self, name, kind="ed25519", days=30, **fields):
        """Its PEM; the key is in NAME.key."""
        self.write_config(**fields)
        self.key(kind, name)
        self.openssl("req", "-new", "-key", self.file(name + ".key"), "-out", self.file("csr"),
                     "-subj", "/O=Toys/CN=" + name, "-config", self.file("config"))
        self.serial += 1
        self.openssl("x509", "-req", "-in", self.file("csr"), "-CA", self.ca, "-CAkey",
                     self.file(self.name + ".key"), "-set_serial", str(self.serial), "-days",
                     str(days), "-extfile", self.file("config"), "-extensions", "person", "-out",
                     self.file(name + ".pem"))
        return open(self.file(name + ".pem"), "rb").read()

    def revoke(self, *names, days=30):
        """Revoke these and write the list."""
        for name in names:
            self.openssl("ca", "-config", self.file("config"), "-name", "crl", "-revoke",
                         self.file(name + ".pem"), "-keyfile", self.file(self.name + ".key"),
                         "-cert", self.ca)
        self.openssl("ca", "-config", self.file("config"), "-name", "crl", "-gencrl",
                     "-crldays", str(days), "-keyfile", self.file(self.name + ".key"), "-cert",
                     self.ca, "-out", self.crl)
        os.chmod(self.crl, 0o644)

    def sign(self, name, text):
        with open(self.file("text"), "w") as f:
            f.write(text)
        kind = self.openssl("pkey", "-in", self.file(name + ".key"), "-noout", "-text")
        if b"ED25519" in kind:
            return self.openssl("pkeyutl", "-sign", "-rawin", "-inkey", self.file(name + ".key"),
                                "-in", self.file("text"))
        return self.openssl("dgst", "-sha256", "-sign", self.file(name + ".key"),
                            self.file("text"))

    def auth_info(self, name):
        """What sshd says of the key: SSH_AUTH_INFO_0."""
        public = self.openssl("pkey", "-in", self.file(name + ".key"), "-pubout")
        if b"ED25519" in self.openssl("pkey", "-in", self.file(name + ".key"), "-noout", "-text"):
            raw = base64.b64decode(b"".join(public.splitlines()[1:-1]))[-32:]
            blob = b"".join(struct.pack(">I", len(s)) + s for s in (b"ssh-ed25519", raw))
            return b"publickey ssh-ed25519 " + base64.b64encode(blob) + b"\n"
        with open(self.file("pub"), "wb") as f:
            f.write(public)
        line = subprocess.run(["ssh-keygen", "-i", "-m", "PKCS8", "-f", self.file("pub")],
                              check=True, capture_output=True).stdout
        return b"publickey " + line
