# Builds @KIND@-@NAME@.so against the headers of an installed webpubsub.
#
#   make            build
#   make check      build and run the test against the installed server
#   make install    into the server's plugin folder (DESTDIR is honoured)

PLUGIN = @KIND@-@NAME@.so
PKG_CONFIG = pkg-config
CFLAGS = -O2 -g
WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes

all: $(PLUGIN)

# The server refuses a plugin that others may write.
$(PLUGIN): @NAME@.c
	$(CC) -std=c11 $(CPPFLAGS) $(CFLAGS) $(WARNINGS) -fPIC -fvisibility=hidden \
	  `$(PKG_CONFIG) --cflags webpubsub` -shared -Wl,-z,defs $(LDFLAGS) \
	  -o $@ @NAME@.c
	chmod go-w $@

check: all
	PKG_CONFIG='$(PKG_CONFIG)' sh ./test_@NAME@.sh

install: all
	folder="$(DESTDIR)`$(PKG_CONFIG) --variable=plugindir webpubsub`" && \
	  mkdir -p "$$folder" && install -m 755 $(PLUGIN) "$$folder"

clean:
	rm -f $(PLUGIN)

.PHONY: all check install clean
