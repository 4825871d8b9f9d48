#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes configure and the Makefile.in files.  Needs autoconf, automake, libtool and pkg-config.
set -e
cd "$(dirname "$0")"
for tool in autoreconf automake libtoolize pkg-config; do
    command -v $tool >/dev/null || {
        echo "autogen.sh: $tool not found; install autoconf, automake, libtool and pkg-config" >&2
        exit 1
    }
done
mkdir -p build/aux
exec autoreconf --force --install
