# WPS_HEADER_VERSION(NAME, HEADER, EXPRESSION, MINIMUM)
# -----------------------------------------------------
# For libraries without a .pc file: what their header says of its version.
# EXPRESSION is what the preprocessor expands to it ("A_MAJOR.A_MINOR").
AC_DEFUN([WPS_HEADER_VERSION], [
  AC_MSG_CHECKING([for $1 >= $4])
  AC_LANG_CONFTEST([AC_LANG_SOURCE([[
#include <$2>
wps_version_is $3
]])])
  dnl The expansion may come in pieces with line markers between them.
  wps_version=`$CPP $CPPFLAGS conftest.$ac_ext 2>/dev/null |
    sed -n '/^ *wps_version_is/,$p' | sed -e '/^@%:@/d' -e 's/wps_version_is//' |
    tr -d ' "\n'`
  rm -f conftest.$ac_ext
  AS_CASE([$wps_version],
    [[[0-9]*]], [],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR([$1 is missing: its header <$2> was not found])])
  AS_VERSION_COMPARE([$wps_version], [$4],
    [AC_MSG_RESULT([no, $wps_version])
     AC_MSG_ERROR([$1 $wps_version is too old, $4 is needed])])
  AC_MSG_RESULT([yes, $wps_version])
])
