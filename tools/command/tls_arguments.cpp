// SPDX-License-Identifier: MIT
#include "tools/command/tls_arguments.hpp"

#include "tools/command/failure.hpp"

namespace sluice::command {
namespace {

TlsVersion parse_version(const std::string& text) {
  if (text == "1.0") return TlsVersion::tls1_0;
  if (text == "1.1") return TlsVersion::tls1_1;
  if (text == "1.2") return TlsVersion::tls1_2;
  if (text == "1.3") return TlsVersion::tls1_3;
  throw Failure(kUsage, "'" + text + "' is no version of TLS: 1.0, 1.1, 1.2 or 1.3");
}

TlsOptions options_of(const TlsArguments& arguments) {
  TlsOptions options;
  options.verify(!arguments.insecure).ciphers(arguments.ciphers).server_name(arguments.server_name);
  options.pin_public_key(arguments.pins);
  if (!arguments.ca_file.empty()) options.ca_file(arguments.ca_file);
  if (!arguments.certificate.empty()) options.certificate_file(arguments.certificate);
  if (!arguments.key.empty()) options.key_file(arguments.key);
  if (!arguments.minimum_version.empty()) options.minimum_version(parse_version(arguments.minimum_version));
  if (!arguments.maximum_version.empty()) options.maximum_version(parse_version(arguments.maximum_version));
  return options;
}

}  // namespace

TlsContext tls_context(const TlsArguments& arguments) {
  bool stated = arguments.insecure;
  for (const std::string* text :
       {&arguments.ca_file, &arguments.certificate, &arguments.key, &arguments.minimum_version,
        &arguments.maximum_version, &arguments.ciphers, &arguments.server_name, &arguments.pins})
    stated = stated || !text->empty();
  if (!stated) return TlsContext();
  if (!arguments.key.empty() && arguments.certificate.empty())
    throw Failure(kUsage, "--key goes with --cert");
  try {
    return TlsContext(options_of(arguments));
  } catch (const SystemError& error) {
    throw Failure(kTlsFiles, error.facts().message);
  }
}

std::string describe_tls(const ResponseBase& response) {
  auto tls = response.tls();
  if (!tls) return "";
  std::string text = "* TLS: ";
  text.append(tls->version()).append(", ").append(tls->cipher());
  text.append(", ALPN ").append(tls->alpn().empty() ? "none" : tls->alpn());
  text.append(tls->resumed() ? ", resumed" : ", full handshake");
  text.append(", kTLS ").append(tls->ktls()).append("\n");
  for (const TlsCertificate& certificate : tls->chain())
    text += "* Certificate: " + certificate.subject + "; issuer " + certificate.issuer + "; valid from " +
            certificate.not_before + " until " + certificate.not_after + "\n";
  return text;
}

}  // namespace sluice::command
