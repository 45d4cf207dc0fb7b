// SPDX-License-Identifier: MIT
#include "engine/wire/charset.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

#include <sluice/headers.hpp>

#include "engine/wire/grammar.hpp"

namespace sluice::wire {
namespace {

/// The position of the next ';' outside quotes, or the end.
std::size_t end_of_parameter(std::string_view text) {
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (quoted && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (text[i] == ';' && !quoted) {
      return i;
    }
  }
  return text.size();
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

/// The text without the quotes around it and without the backslashes of quoted pairs.
std::string unquoted(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return std::string(text);
  text = text.substr(1, text.size() - 2);
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    plain += text[i];
  }
  return plain;
}

}  // namespace

std::optional<std::string> charset_of(std::string_view content_type) {
  while (!content_type.empty()) {
    const std::size_t end = end_of_parameter(content_type);
    const std::string_view parameter = content_type.substr(0, end);
    content_type.remove_prefix(std::min(end + 1, content_type.size()));
    const std::size_t equals = std::min(parameter.find('='), parameter.size());
    if (!equal_ignoring_case(trim_blanks(parameter.substr(0, equals)), "charset")) continue;
    std::string value = unquoted(trim_blanks(parameter.substr(std::min(equals + 1, parameter.size()))));
    if (std::any_of(value.begin(), value.end(), [](char c) { return (c & 0x80) != 0; })) return std::nullopt;
    std::transform(value.begin(), value.end(), value.begin(), lower);
    return value;
  }
  return std::nullopt;
}

struct CharsetTable {
  using Method = Charset::Method;
  static constexpr Charset::Description kRows[] = {
      {"utf-8", Method::utf8, nullptr,
       "utf8 cp65001 u8 unicode11utf8 unicode20utf8 utf utf8ucs2 utf8ucs4 xunicode20utf8"},
      {"iso-8859-1", Method::latin1, nullptr,
       "iso88591 8859 cp819 csisolatin1 ibm819 iso8859 iso885911987 isoir100 l1 latin latin1"},
      {"us-ascii", Method::ascii, nullptr,
       "usascii 646 ansix341968 ansix341986 ascii cp367 csascii ibm367 iso646irv1991 iso646us isoir6 us"},
      {"utf-8-sig", Method::utf8_signature, nullptr, "utf8sig"},
      {"utf-16", Method::utf16, nullptr, "utf16 csunicode iso10646ucs2 u16 ucs2 unicode unicodefeff"},
      {"utf-16le", Method::utf16_little, nullptr, "utf16le unicodelittleunmarked"},
      {"utf-16be", Method::utf16_big, nullptr, "utf16be unicodebigunmarked unicodefffe"},
      {"utf-32", Method::utf32, nullptr, "utf32 u32"},
      {"utf-32le", Method::utf32_little, nullptr, "utf32le"},
      {"utf-32be", Method::utf32_big, nullptr, "utf32be"},
      {"utf-7", Method::iconv, "UTF-7", "utf7 u7 unicode11utf7"},
      {"iso-8859-2", Method::table, "ISO-8859-2", "iso88592 csisolatin2 iso885921987 isoir101 l2 latin2"},
      {"iso-8859-3", Method::table, "ISO-8859-3", "iso88593 csisolatin3 iso885931988 isoir109 l3 latin3"},
      {"iso-8859-4", Method::table, "ISO-8859-4", "iso88594 csisolatin4 iso885941988 isoir110 l4 latin4"},
      {"iso-8859-5", Method::table, "ISO-8859-5",
       "iso88595 csisolatincyrillic cyrillic iso885951988 isoir144"},
      {"iso-8859-6", Method::table, "ISO-8859-6",
       "iso88596 arabic asmo708 csiso88596e csiso88596i csisolatinarabic ecma114 iso885961987 iso88596e "
       "iso88596i isoir127"},
      {"iso-8859-7", Method::table, "ISO-8859-7",
       "iso88597 csisolatingreek ecma118 elot928 greek greek8 iso885971987 isoir126 suneugreek"},
      {"iso-8859-8", Method::table, "ISO-8859-8",
       "iso88598 csiso88598e csiso88598i csisolatinhebrew hebrew iso885981988 iso88598e iso88598i isoir138 "
       "logical visual"},
      {"iso-8859-9", Method::table, "ISO-8859-9", "iso88599 csisolatin5 iso885991989 isoir148 l5 latin5"},
      {"iso-8859-10", Method::table, "ISO-8859-10", "iso885910 csisolatin6 iso8859101992 isoir157 l6 latin6"},
      {"iso-8859-11", Method::table, "ISO-8859-11",
       "iso885911 iso8859112001 isoir166 thai tis620 tis6200 tis62025290 tis62025291"},
      {"iso-8859-13", Method::table, "ISO-8859-13", "iso885913 l7 latin7"},
      {"iso-8859-14", Method::table, "ISO-8859-14", "iso885914 iso8859141998 isoceltic isoir199 l8 latin8"},
      {"iso-8859-15", Method::table, "ISO-8859-15", "iso885915 csisolatin9 l9 latin9"},
      {"iso-8859-16", Method::table, "ISO-8859-16", "iso885916 iso8859162001 isoir226 l10 latin10"},
      {"windows-874", Method::table, "CP874", "windows874 cp874 dos874"},
      {"windows-1250", Method::table, "CP1250", "windows1250 1250 cp1250 xcp1250"},
      {"windows-1251", Method::table, "CP1251", "windows1251 1251 cp1251 xcp1251"},
      {"windows-1252", Method::table, "CP1252", "windows1252 1252 cp1252 xcp1252"},
      {"windows-1253", Method::table, "CP1253", "windows1253 1253 cp1253 xcp1253"},
      {"windows-1254", Method::table, "CP1254", "windows1254 1254 cp1254 xcp1254"},
      {"windows-1255", Method::table, "CP1255", "windows1255 1255 cp1255 xcp1255"},
      {"windows-1256", Method::table, "CP1256", "windows1256 1256 cp1256 xcp1256"},
      {"windows-1257", Method::table, "CP1257", "windows1257 1257 cp1257 xcp1257"},
      {"windows-1258", Method::table, "CP1258", "windows1258 1258 cp1258 xcp1258"},
      {"koi8-r", Method::table, "KOI8-R", "koi8r cskoi8r koi koi8"},
      {"koi8-u", Method::table, "KOI8-U", "koi8u koi8ru"},
      {"koi8-t", Method::table, "KOI8-T", "koi8t"},
      {"macintosh", Method::table, "MACINTOSH", "macintosh csmacintosh mac macroman xmacroman"},
      {"x-mac-cyrillic", Method::table, "MAC-CYRILLIC", "xmaccyrillic maccyrillic xmacukrainian"},
      {"x-mac-ce", Method::table, "MAC-CENTRALEUROPE", "xmacce maccenteuro maccentraleurope maclatin2"},
      {"ibm437", Method::table, "CP437", "ibm437 437 cp437 cspc8codepage437"},
      {"ibm737", Method::table, "CP737", "ibm737 cp737"},
      {"ibm775", Method::table, "CP775", "ibm775 775 cp775 cspc775baltic"},
      {"ibm850", Method::table, "CP850", "ibm850 850 cp850 cspc850multilingual"},
      {"ibm852", Method::table, "CP852", "ibm852 852 cp852 cspcp852"},
      {"ibm855", Method::table, "CP855", "ibm855 855 cp855 csibm855"},
      {"ibm857", Method::table, "CP857", "ibm857 857 cp857 csibm857"},
      {"ibm858", Method::table, "CP858", "ibm858 858 cp858 csibm858"},
      {"ibm860", Method::table, "CP860", "ibm860 860 cp860 csibm860"},
      {"ibm861", Method::table, "CP861", "ibm861 861 cp861 cpis csibm861"},
      {"ibm862", Method::table, "CP862", "ibm862 862 cp862 cspc862latinhebrew"},
      {"ibm863", Method::table, "CP863", "ibm863 863 cp863 csibm863"},
      {"ibm865", Method::table, "CP865", "ibm865 865 cp865 csibm865"},
      {"ibm866", Method::table, "CP866", "ibm866 866 cp866 csibm866"},
      {"ibm869", Method::table, "CP869", "ibm869 869 cp869 cpgr csibm869"},
      {"ibm1125", Method::table, "CP1125", "ibm1125 1125 cp1125 cp866u ruscii"},
      {"hp-roman8", Method::table, "HP-ROMAN8", "hproman8 cp1051 cshproman8 ibm1051 r8 roman8"},
      {"ptcp154", Method::table, "PT154", "ptcp154 cp154 csptcp154 cyrillicasian pt154"},
      {"kz-1048", Method::table, "RK1048", "kz1048 rk1048 strk10482002"},
      {"ibm037", Method::iconv, "CP037",
       "ibm037 037 cp037 csibm037 ebcdiccpca ebcdiccpnl ebcdiccpus ebcdiccpwt ibm039"},
      {"ibm500", Method::iconv, "CP500", "ibm500 500 cp500 csibm500 ebcdiccpbe ebcdiccpch"},
      {"ibm864", Method::iconv, "CP864", "ibm864 864 cp864 csibm864"},
      {"ibm1140", Method::iconv, "CP1140", "ibm1140 1140 cp1140"},
      {"shift_jis", Method::shift_jis, "SJIS", "shiftjis csshiftjis sjis xmacjapanese"},
      {"windows-31j", Method::double_byte, "CP932", "windows31j 932 cp932 ms932 mskanji xsjis"},
      {"euc-jp", Method::double_byte, "EUC-JP", "eucjp cseucpkdfmtjapanese ujis xeucjp"},
      {"iso-2022-jp", Method::iconv, "ISO-2022-JP", "iso2022jp csiso2022jp"},
      {"iso-2022-jp-2", Method::iconv, "ISO-2022-JP-2", "iso2022jp2"},
      {"euc-kr", Method::double_byte, "EUC-KR",
       "euckr korean ksc5601 ksc56011987 ksc56011989 ksx1001 xmackorean"},
      {"windows-949", Method::double_byte, "UHC",
       "windows949 949 cp949 cseuckr csksc56011987 isoir149 ms949 uhc"},
      {"iso-2022-kr", Method::iconv, "ISO-2022-KR", "iso2022kr csiso2022kr"},
      {"gb2312", Method::double_byte, "EUC-CN",
       "gb2312 chinese csgb2312 csiso58gb231280 euccn eucgb2312cn gb23121980 gb231280 isoir58 "
       "xmacsimpchinese"},
      {"gbk", Method::double_byte, "GBK", "gbk 936 cp936 ms936 xgbk"},
      {"gb18030", Method::iconv, "GB18030", "gb18030 gb180302000"},
      {"iso-2022-cn", Method::iconv, "ISO-2022-CN", "iso2022cn"},
      {"iso-2022-cn-ext", Method::iconv, "ISO-2022-CN-EXT", "iso2022cnext"},
      {"big5", Method::double_byte, "BIG5-HKSCS",
       "big5 950 big5hkscs big5tw cnbig5 cp950 csbig5 hkscs ms950 xmactradchinese xxbig5"},
      {"x-user-defined", Method::user_defined, nullptr, "xuserdefined"},
      {"replacement", Method::replacement, nullptr, "replacement hz hzgb hzgb2312"},
  };

  static std::optional<Charset> find(std::string_view plain_label) {
    for (const Charset::Description& row : kRows) {
      if (has_label(row.labels, plain_label)) return Charset(row);
    }
    return std::nullopt;
  }
  static Charset utf8() { return Charset(kRows[0]); }

 private:
  static bool has_label(std::string_view labels, std::string_view wanted) {
    while (!labels.empty()) {
      const std::size_t end = std::min(labels.find(' '), labels.size());
      if (labels.substr(0, end) == wanted) return true;
      labels.remove_prefix(std::min(end + 1, labels.size()));
    }
    return false;
  }
};

Charset Charset::utf8() {
  return CharsetTable::utf8();
}

std::optional<Charset> Charset::find(std::string_view label) {
  std::array<char, 32> plain;  // longer than any label
  std::size_t size = 0;
  for (char c : label) {
    if ((c & 0x80) != 0) return std::nullopt;
    c = lower(c);
    if (!is_digit(c) && (c < 'a' || c > 'z')) continue;
    if (size == plain.size()) return std::nullopt;
    plain[size++] = c;
  }
  if (size == 0) return std::nullopt;
  return CharsetTable::find({plain.data(), size});
}

}  // namespace sluice::wire
