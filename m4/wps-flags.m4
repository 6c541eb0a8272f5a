# WPS_ADD_FLAG(VARIABLE, FLAG)
# ----------------------------
# Append a compiler flag that this compiler and linker take.
AC_DEFUN([WPS_ADD_FLAG], [
  AS_VAR_PUSHDEF([wps_cv], [wps_cv_flag_$2])
  AC_CACHE_CHECK([whether $CC takes $2], [wps_cv], [
    wps_save_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS -Werror $2"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
      [AS_VAR_SET([wps_cv], [yes])], [AS_VAR_SET([wps_cv], [no])])
    CFLAGS=$wps_save_CFLAGS])
  AS_VAR_IF([wps_cv], [yes], [$1="$$1 $2"])
  AS_VAR_POPDEF([wps_cv])
])

# WPS_SANITIZER
# -------------
# --enable-sanitizer=address,undefined or =thread. Sets SANITIZER_FLAGS, for
# compiling and for linking, and wps_sanitizer.
AC_DEFUN([WPS_SANITIZER], [
  AC_ARG_ENABLE([sanitizer],
    [AS_HELP_STRING([--enable-sanitizer=LIST],
      [build with sanitizers: address,undefined or thread])],
    [wps_sanitizer=$enableval], [wps_sanitizer=no])
  SANITIZER_FLAGS=
  AS_CASE([$wps_sanitizer],
    [no], [],
    [yes], [AC_MSG_ERROR([--enable-sanitizer takes a list, for example address,undefined])],
    [SANITIZER_FLAGS="-fsanitize=$wps_sanitizer -fno-omit-frame-pointer"
     AS_CASE([,$wps_sanitizer,], [*,undefined,*],
       [SANITIZER_FLAGS="$SANITIZER_FLAGS -fno-sanitize-recover=undefined"])
     wps_save_CFLAGS=$CFLAGS
     CFLAGS="$CFLAGS $SANITIZER_FLAGS"
     AC_MSG_CHECKING([whether $CC can link with -fsanitize=$wps_sanitizer])
     AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])], [AC_MSG_RESULT([yes])],
       [AC_MSG_RESULT([no])
        AC_MSG_ERROR([no runtime for -fsanitize=$wps_sanitizer])])
     CFLAGS=$wps_save_CFLAGS])
  AC_SUBST([SANITIZER_FLAGS])
])

# WPS_HARDENING
# -------------
# HARDEN_CFLAGS and HARDEN_LDFLAGS for everything, PIE_CFLAGS and PIE_LDFLAGS for
# programs. _FORTIFY_SOURCE needs an optimising compiler and is in the way of the
# sanitizers.
AC_DEFUN([WPS_HARDENING], [
  HARDEN_CFLAGS= HARDEN_LDFLAGS= HARDEN_CPPFLAGS= PIE_CFLAGS= PIE_LDFLAGS=
  WPS_ADD_FLAG([HARDEN_CFLAGS], [-fstack-protector-strong])
  WPS_ADD_FLAG([HARDEN_CFLAGS], [-fno-common])
  WPS_ADD_FLAG([PIE_CFLAGS], [-fPIE])
  WPS_ADD_FLAG([PIE_LDFLAGS], [-pie])
  WPS_ADD_FLAG([HARDEN_LDFLAGS], [-Wl,-z,relro])
  WPS_ADD_FLAG([HARDEN_LDFLAGS], [-Wl,-z,now])
  WPS_ADD_FLAG([HARDEN_LDFLAGS], [-Wl,--as-needed])
  AS_IF([test "$wps_sanitizer" = no && test "$wps_fuzzing" = no], [
    AC_MSG_CHECKING([whether to define _FORTIFY_SOURCE])
    AC_COMPILE_IFELSE([AC_LANG_SOURCE([[
#if !defined __OPTIMIZE__ || defined _FORTIFY_SOURCE
#error "not optimising, or already defined"
#endif
      ]])],
      [AC_MSG_RESULT([yes])
       HARDEN_CPPFLAGS="-D_FORTIFY_SOURCE=2"],
      [AC_MSG_RESULT([no])])])
  AC_SUBST([HARDEN_CFLAGS])
  AC_SUBST([HARDEN_CPPFLAGS])
  AC_SUBST([HARDEN_LDFLAGS])
  AC_SUBST([PIE_CFLAGS])
  AC_SUBST([PIE_LDFLAGS])
])
