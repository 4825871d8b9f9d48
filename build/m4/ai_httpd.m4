dnl SPDX-License-Identifier: Apache-2.0
dnl AI_FIND_HTTPD: which httpd do we build for?  Everything is asked of its apxs.
dnl Sets AI_HTTPD (program), AI_HTTPD_VERSION, AI_HTTPD_LIBEXECDIR, AI_HTTPD_CPPFLAGS,
dnl AI_HTTPD_CFLAGS, AI_APR_CPPFLAGS, AI_APR_LIBS, AI_RUNTIME_DIR (its DefaultRuntimeDir).
AC_DEFUN([AI_FIND_HTTPD], [
AC_ARG_WITH([apxs],
    [AS_HELP_STRING([--with-apxs=PATH], [the apxs of the httpd to build for [apxs2 or apxs on the PATH]])],
    [AS_CASE([$withval],
        [yes|no|''], [AC_MSG_ERROR([--with-apxs needs the path of a program])],
        [APXS=$withval])])
AS_IF([test -z "$APXS"], [AC_PATH_PROGS([APXS], [apxs2 apxs], [], [$PATH:/usr/local/apache2/bin:/usr/sbin])])
AS_IF([test -z "$APXS" || test ! -x "$APXS"],
    [AC_MSG_ERROR([no apxs found; install apache2-dev (Debian), httpd-devel (Fedora), or say --with-apxs=PATH])])
AC_SUBST([APXS])

ai_floor=2.4.57
AC_MSG_CHECKING([for httpd $ai_floor or later])
AI_HTTPD_LIBEXECDIR=`"$APXS" -q LIBEXECDIR`
ai_includedir=`"$APXS" -q INCLUDEDIR`
AS_IF([test ! -f "$ai_includedir/ap_release.h"],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR([$APXS says the headers are in "$ai_includedir", but there is no ap_release.h])])
dnl Read from the header: older apxs do not know HTTPD_VERSION.
ai_part() { $SED -n "s/^.define AP_SERVER_$[]1_NUMBER *\([[0-9]]*\).*/\1/p" "$ai_includedir/ap_release.h" | head -n 1; }
AI_HTTPD_VERSION=`ai_part MAJORVERSION`.`ai_part MINORVERSION`.`ai_part PATCHLEVEL`
AC_MSG_RESULT([$AI_HTTPD_VERSION])
AS_VERSION_COMPARE([$AI_HTTPD_VERSION], [$ai_floor],
    [AC_MSG_ERROR([httpd $AI_HTTPD_VERSION is too old; $ai_floor or later is needed])])
AC_SUBST([AI_HTTPD_VERSION])
AC_SUBST([AI_HTTPD_LIBEXECDIR])

AC_ARG_WITH([httpd],
    [AS_HELP_STRING([--with-httpd=PATH], [the server program that the tests start [asked of apxs]])],
    [AI_HTTPD=$withval],
    [AI_HTTPD=`"$APXS" -q SBINDIR`/`"$APXS" -q PROGNAME 2>/dev/null`
     AS_IF([test ! -f "$AI_HTTPD"], [AI_HTTPD=`"$APXS" -q SBINDIR`/httpd])
     AS_IF([test ! -f "$AI_HTTPD"], [AI_HTTPD=`"$APXS" -q SBINDIR`/apache2])])
AS_IF([test ! -x "$AI_HTTPD"],
    [AC_MSG_WARN([$AI_HTTPD is no program; make check will need --with-httpd=PATH])])
AC_SUBST([AI_HTTPD])

AC_ARG_WITH([runtime-dir],
    [AS_HELP_STRING([--with-runtime-dir=DIR], [the DefaultRuntimeDir of the server that aictl tells of changes [asked of apxs]])],
    [AI_RUNTIME_DIR=$withval],
    [AI_RUNTIME_DIR=`"$APXS" -q exp_runtimedir 2>/dev/null`])
AS_CASE([$AI_RUNTIME_DIR], [/*], [], [AI_RUNTIME_DIR=/run/httpd])
AC_SUBST([AI_RUNTIME_DIR])

ai_apr_config=`"$APXS" -q APR_CONFIG 2>/dev/null`
ai_apu_config=`"$APXS" -q APU_CONFIG 2>/dev/null`
AS_IF([test ! -x "$ai_apr_config"], [AC_PATH_PROG([ai_apr_config], [apr-1-config])])
AS_IF([test ! -x "$ai_apu_config"], [AC_PATH_PROG([ai_apu_config], [apu-1-config])])
AS_IF([test ! -x "$ai_apr_config" || test ! -x "$ai_apu_config"],
    [AC_MSG_ERROR([apr-1-config or apu-1-config not found; install the APR and APR-util development files])])
AS_VERSION_COMPARE([`$ai_apr_config --version`], [1.7],
    [AC_MSG_ERROR([APR `$ai_apr_config --version` is too old; 1.7 or later is needed])])
dnl As system headers: what compilers say of the macros in there is not ours to mend.
ai_as_system='s,-I *\(/[[^ ]]*\),-isystem \1,g;s,-isystem /usr/include\( \|$\),\1,g'
AI_APR_CPPFLAGS=`{ $ai_apr_config --cppflags --includes; $ai_apu_config --includes; } | tr '\n' ' ' | $SED "$ai_as_system"`
AI_APR_LIBS="`$ai_apu_config --link-ld` `$ai_apr_config --link-ld --libs`"
AI_HTTPD_CPPFLAGS="-isystem $ai_includedir `"$APXS" -q EXTRA_CPPFLAGS`"
AC_SUBST([AI_APR_CPPFLAGS])
AC_SUBST([AI_APR_LIBS])
AC_SUBST([AI_HTTPD_CPPFLAGS])

dnl The server's own flags, but what belongs to its packager: link-time optimisation (slow, and
dnl its objects need the same compiler), its warnings and where its sources lay.
AI_HTTPD_CFLAGS=
for ai_flag in `"$APXS" -q CFLAGS` `"$APXS" -q EXTRA_CFLAGS`; do
    AS_CASE([$ai_flag],
        [-flto*|-ffat-lto*|-W*|-g*|-O*|-pipe|-f*-prefix-map=*|-specs=*], [],
        [AI_HTTPD_CFLAGS="$AI_HTTPD_CFLAGS $ai_flag"])
done
AC_SUBST([AI_HTTPD_CFLAGS])
])
