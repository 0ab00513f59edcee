# What is installed elsewhere than in this directory. Everything lands in dist/packages.
# To build and test in this directory: npm install, npm run build, npm test.

all:
	sh scripts/install-npm.sh
	sh scripts/build.sh

deb rpm tarball:
	sh packaging/build-$@.sh dist/packages

container:
	sh packaging/build-container.sh

# Builds them as they are shipped, installs each where nothing else is, and lets it run there. Takes some minutes.
check-packages:
	sh scripts/check-packages.sh

clean:
	rm -rf dist

.PHONY: all deb rpm tarball container check-packages clean
