// SPDX-License-Identifier: MIT
#include "engine/net/address.hpp"

#include <string>

#include <gtest/gtest.h>

namespace sluice::net {
namespace {

TEST(AddressTest, Literals) {
  struct Row {
    const char* text;
    const char* shown;  // nullptr: no literal
  };
  for (const Row& row : {
           Row{"127.0.0.1", "127.0.0.1:80"},
           Row{"0.0.0.0", "0.0.0.0:80"},
           Row{"255.255.255.255", "255.255.255.255:80"},
           Row{"::1", "[::1]:80"},
           Row{"2001:DB8::1", "[2001:db8::1]:80"},
           Row{"::ffff:1.2.3.4", "[::ffff:1.2.3.4]:80"},
           Row{"", nullptr},
           Row{"localhost", nullptr},
           // What inet_aton takes and a URL parser may not have seen as an address.
           Row{"127.1", nullptr},
           Row{"2130706433", nullptr},
           Row{"0x7f.0.0.1", nullptr},
           Row{"0177.0.0.1", nullptr},
           Row{"1.2.3.4 ", nullptr},
           Row{"1.2.3.256", nullptr},
           Row{"[::1]", nullptr},
           Row{"::1%lo", nullptr},
           Row{"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc", nullptr},
       }) {
    auto address = Address::from_literal(row.text, 80);
    ASSERT_EQ(address.has_value(), row.shown != nullptr) << row.text;
    if (address) {
      EXPECT_EQ(address->str(), row.shown);
      EXPECT_EQ(address->port(), 80);
    }
  }
  EXPECT_FALSE(Address::from_literal(std::string_view("127.0.0.1\0x", 11), 80));
  EXPECT_EQ(Address().str(), "");
}

TEST(AddressTest, UnixSockets) {
  EXPECT_EQ(Address::unix_socket("/run/x")->str(), "unix:/run/x");
  EXPECT_EQ(Address::unix_socket("@name")->str(), "unix:@name");
  EXPECT_EQ(Address::unix_socket(std::string(107, 'x'))->str(), "unix:" + std::string(107, 'x'));
  EXPECT_EQ(Address::unix_socket("@" + std::string(106, 'x'))->str(), "unix:@" + std::string(106, 'x'));
  for (const std::string& path : {std::string(), std::string(108, 'x'), std::string("a\0b", 3)}) {
    auto address = Address::unix_socket(path);
    ASSERT_FALSE(address);
    EXPECT_EQ(address.error().kind(), ErrorKind::connect_error);
  }
}

}  // namespace
}  // namespace sluice::net
