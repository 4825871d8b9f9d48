dnl SPDX-License-Identifier: Apache-2.0
dnl AI_SET_COMPILER: warnings, visibility and sanitizers.  Sets AI_CFLAGS, AI_LDFLAGS and
dnl AI_SANITIZE_FLAGS (what the fuzz replay is built with, empty when nothing works).
AC_DEFUN([AI_SET_COMPILER], [
AC_ARG_ENABLE([werror],
    [AS_HELP_STRING([--enable-werror], [a compiler warning fails the build; for maintainers])],
    [ai_werror=$enableval], [ai_werror=no])
AC_ARG_ENABLE([asan],
    [AS_HELP_STRING([--enable-asan], [build all with AddressSanitizer and UndefinedBehaviorSanitizer])],
    [ai_asan=$enableval], [ai_asan=no])

AI_CFLAGS="-std=gnu99 -fvisibility=hidden"
AI_CFLAGS="$AI_CFLAGS -Wall -Wextra -Wshadow -Wvla -Wmissing-prototypes -Wformat-security"
AS_IF([test "$ai_werror" = yes], [AI_CFLAGS="$AI_CFLAGS -Werror"])

ai_sanitize="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
AC_CACHE_CHECK([whether $CC can run sanitized programs], [ai_cv_sanitize],
    [ai_save_cflags=$CFLAGS
     CFLAGS="$CFLAGS $ai_sanitize"
     AC_RUN_IFELSE([AC_LANG_PROGRAM([[]], [[return 0;]])],
         [ai_cv_sanitize=yes], [ai_cv_sanitize=no], [ai_cv_sanitize=no])
     CFLAGS=$ai_save_cflags])
ai_sanitize_works=$ai_cv_sanitize
AS_IF([test "$ai_cv_sanitize" = yes], [AI_SANITIZE_FLAGS=$ai_sanitize], [AI_SANITIZE_FLAGS=])
AI_LDFLAGS=
AS_IF([test "$ai_asan" = yes],
    [AS_IF([test "$ai_cv_sanitize" != yes], [AC_MSG_ERROR([--enable-asan: $CC cannot run sanitized programs])])
     AI_CFLAGS="$AI_CFLAGS $ai_sanitize"
     AI_LDFLAGS="$AI_LDFLAGS $ai_sanitize"])
AC_SUBST([AI_CFLAGS])
AC_SUBST([AI_LDFLAGS])
AC_SUBST([AI_SANITIZE_FLAGS])
AC_SUBST([AI_ASAN], [$ai_asan])
])
