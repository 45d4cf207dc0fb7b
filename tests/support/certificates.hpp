// SPDX-License-Identifier: MIT
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>

#include <stdlib.h>

/// Certificates made on the spot by the openssl tool.
namespace sluice::testing {

inline std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A folder that goes with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() : path_("/tmp/sluice-tls-XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) throw std::runtime_error("no temporary folder");
    std::filesystem::permissions(path_, std::filesystem::perms(0755));  // a server may change its user
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }

  std::string operator/(std::string_view name) const { return path_ + '/' + std::string(name); }
  std::string write(std::string_view name, std::string_view text) const {
    std::ofstream(*this / name, std::ios::binary) << text;
    return *this / name;
  }
  /// Runs a shell command here; throws with its output when it fails.
  void run(const std::string& command) const {
    std::string whole = "cd " + path_ + " && (" + command + ") >output 2>&1";
    if (std::system(whole.c_str()) != 0)
      throw std::runtime_error(command + ":\n" + content_of(*this / "output"));
  }

 private:
  std::string path_;
};

/// A certificate with its key: PEM files.
class Identity {
 public:
  std::string certificate;  // with those of the authorities between it and the root
  std::string key;
};

/// What a certificate shall be like.
class Wanted {
 public:
  Wanted() = default;
  explicit Wanted(std::string its_names) : names(std::move(its_names)) {}

  std::string names = "DNS:localhost,IP:127.0.0.1";  // subjectAltName; empty: none
  std::string common_name = "test server";
  std::string key = "ec -pkeyopt ec_paramgen_curve:P-256";  // as openssl req -newkey takes it
  std::string digest = "sha256";
  std::string start = "20200101000000Z";
  std::string end = "21200101000000Z";
  std::string extensions = "";  // further lines
};

/// A certification authority: a root, or one below another.
class Authority {
 public:
  explicit Authority(const std::string& name = "Test Root", const std::string& key = Wanted().key) {
    set_up();
    folder_.run("openssl req -new -x509 -newkey " + key +
                " -nodes -keyout ca.key -out ca.pem -days 3650 -subj '/CN=" + name +
                "' -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign");
  }
  /// An authority below another one.
  Authority(Authority& above, const std::string& name, const std::string& extensions = "") {
    set_up();
    Wanted wanted("");
    wanted.common_name = name;
    wanted.extensions =
        "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n" + extensions;
    Identity own = above.issue(wanted);
    std::filesystem::copy_file(own.key, folder_ / "ca.key");
    folder_.write("ca.pem", content_of(own.certificate));
    chain_text_ = content_of(own.certificate);
  }
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  /// Its own certificate, in a PEM file.
  std::string certificate() const { return folder_ / "ca.pem"; }

  Identity issue(const Wanted& wanted = Wanted()) {
    std::string name = "cert" + std::to_string(++issued_);
    std::string names = wanted.names.empty() ? "" : "subjectAltName=" + wanted.names + "\n";
    folder_.write(name + ".ext", names + wanted.extensions + "\nsubjectKeyIdentifier=hash\n");
    folder_.run("openssl req -new -newkey " + wanted.key + " -nodes -keyout " + name + ".key -out " + name +
                ".csr -subj '/CN=" + wanted.common_name + "'");
    folder_.run("openssl ca -config ca.cnf -batch -notext -in " + name + ".csr -out " + name +
                ".leaf -startdate " + wanted.start + " -enddate " + wanted.end + " -md " + wanted.digest +
                " -extfile " + name + ".ext");
    folder_.write(name + ".pem", content_of(folder_ / (name + ".leaf")) + chain_text_);
    return {folder_ / (name + ".pem"), folder_ / (name + ".key")};
  }
  void revoke(const Identity& identity) {
    folder_.run("openssl ca -config ca.cnf -revoke " + identity.certificate);
  }
  /// A revocation list, in a PEM file.
  std::string revocation_list() {
    folder_.run("openssl ca -config ca.cnf -gencrl -out list.crl");
    return folder_ / "list.crl";
  }
  /// A folder with hashed names.
  std::string directory() {
    folder_.run("mkdir -p hashed && cp ca.pem hashed/ && openssl rehash hashed");
    return folder_ / "hashed";
  }

 private:
  void set_up() {
    folder_.write("ca.cnf", R"([ca]
default_ca = it
[it]
dir = .
database = index
serial = serial
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
policy = any
default_md = sha256
default_crl_days = 365
unique_subject = no
[any]
commonName = supplied
)");
    folder_.write("index", "");
    folder_.write("serial", "1000\n");
  }

  TemporaryFolder folder_;
  std::string chain_text_;
  int issued_ = 0;
};

/// A certificate that signed itself.
inline Identity self_signed(const TemporaryFolder& folder, const std::string& names = Wanted().names,
                            const std::string& key = Wanted().key) {
  folder.run("openssl req -new -x509 -newkey " + key +
             " -nodes -keyout self.key -out self.pem -days 365 -subj "
             "'/CN=self' -addext subjectAltName=" +
             names);
  return {folder / "self.pem", folder / "self.key"};
}

}  // namespace sluice::testing
