# WPS_PLUGIN(NAME, [CHECKS])
# --------------------------
# One shipped plugin: --with-plugin-NAME=yes|no, the Automake conditional
# PLUGIN_NAME (upper case, dashes become underscores), and a line of the summary.
# CHECKS run when it is to be built.
AC_DEFUN([WPS_PLUGIN], [
  m4_pushdef([wps_var], [wps_plugin_]m4_translit([$1], [-], [_]))
  AC_ARG_WITH([plugin-$1],
    [AS_HELP_STRING([--with-plugin-$1=yes|no],
      [build the plugin $1 (default: yes)])],
    [wps_var=$withval], [wps_var=yes])
  AS_CASE([$wps_var],
    [yes], [$2
      wps_plugins_on="$wps_plugins_on $1"],
    [no], [wps_plugins_off="$wps_plugins_off $1"],
    [AC_MSG_ERROR([--with-plugin-$1 takes yes or no])])
  AM_CONDITIONAL([PLUGIN_]m4_translit([$1], [a-z-], [A-Z_]),
    [test "$wps_var" = yes])
  m4_popdef([wps_var])
])
