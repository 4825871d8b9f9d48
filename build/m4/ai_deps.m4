dnl SPDX-License-Identifier: Apache-2.0
dnl AI_FIND_DEPS: libraries beside httpd.
AC_DEFUN([AI_FIND_DEPS], [
PKG_PROG_PKG_CONFIG
AS_IF([test -z "$PKG_CONFIG"], [AC_MSG_ERROR([pkg-config not found; install pkg-config or pkgconf])])
PKG_CHECK_MODULES([JSONC], [json-c >= 0.14], [],
    [AC_MSG_ERROR([json-c 0.14 or later not found; install libjson-c-dev (Debian) or json-c-devel (Fedora)])])
AI_JSONC_VERSION=`$PKG_CONFIG --modversion json-c`
dnl json-c's own include path ends in /json-c; with its parent <json.h> and <json-c/json.h> work.
JSONC_CFLAGS="$JSONC_CFLAGS -I`$PKG_CONFIG --variable=includedir json-c`"
JSONC_CFLAGS=`AS_ECHO(["$JSONC_CFLAGS"]) | $SED "$ai_as_system"`
AC_SUBST([JSONC_CFLAGS])
PKG_CHECK_MODULES([CRYPTO], [libcrypto >= 3.0], [],
    [AC_MSG_ERROR([OpenSSL 3.0 or later not found; install libssl-dev (Debian) or openssl-devel (Fedora)])])
AI_CRYPTO_VERSION=`$PKG_CONFIG --modversion libcrypto`
CRYPTO_CFLAGS=`AS_ECHO(["$CRYPTO_CFLAGS"]) | $SED "$ai_as_system"`
AC_SUBST([CRYPTO_CFLAGS])
dnl For mod_ai_auth alone.
PKG_CHECK_MODULES([CURL], [libcurl >= 7.68], [],
    [AC_MSG_ERROR([libcurl 7.68 or later not found; install libcurl4-openssl-dev (Debian) or libcurl-devel (Fedora)])])
AI_CURL_VERSION=`$PKG_CONFIG --modversion libcurl`
CURL_CFLAGS=`AS_ECHO(["$CURL_CFLAGS"]) | $SED "$ai_as_system"`
AC_SUBST([CURL_CFLAGS])
PKG_CHECK_MODULES([ZSTD], [libzstd >= 1.4], [],
    [AC_MSG_ERROR([libzstd 1.4 or later not found; install libzstd-dev (Debian) or libzstd-devel (Fedora)])])
AI_ZSTD_VERSION=`$PKG_CONFIG --modversion libzstd`
ZSTD_CFLAGS=`AS_ECHO(["$ZSTD_CFLAGS"]) | $SED "$ai_as_system"`
AC_SUBST([ZSTD_CFLAGS])
])
