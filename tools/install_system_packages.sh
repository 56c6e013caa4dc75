#!/usr/bin/env bash
# Install system packages with apt-get where that is possible; else say what is missing and what will not work.
#   install_system_packages.sh --for-tests    what Qt, OpenGL and a virtual display need, if any of it is missing
#   install_system_packages.sh NAME...        these packages
set -euo pipefail

# library that is looked for -> Debian/Ubuntu package that brings it
declare -A packages=(
    [libglib-2.0.so.0]=libglib2.0-0
    [libEGL.so.1]=libegl1
    [libGL.so.1]=libgl1
    [libOpenGL.so.0]=libopengl0
    [libfontconfig.so.1]=libfontconfig1
    [libdbus-1.so.3]=libdbus-1-3
    [libxkbcommon-x11.so.0]=libxkbcommon-x11-0
    [libxcb-cursor.so.0]=libxcb-cursor0
    [libxcb-icccm.so.4]=libxcb-icccm4
    [libxcb-image.so.0]=libxcb-image0
    [libxcb-keysyms.so.1]=libxcb-keysyms1
    [libxcb-randr.so.0]=libxcb-randr0
    [libxcb-render-util.so.0]=libxcb-render-util0
    [libxcb-shape.so.0]=libxcb-shape0
    [libxcb-xinerama.so.0]=libxcb-xinerama0
    [libxcb-xkb.so.1]=libxcb-xkb1
)

missing_packages() {
    local library libraries
    libraries=$( (ldconfig -p || /sbin/ldconfig -p) 2>/dev/null || true)
    for library in "${!packages[@]}"; do
        [[ $libraries == *"$library "* ]] || echo "${packages[$library]}"
    done
    # Mesa's software renderer is loaded at run time, so no library name shows that it is there.
    if command -v dpkg-query >/dev/null && ! dpkg-query -W libgl1-mesa-dri >/dev/null 2>&1; then
        echo libgl1-mesa-dri
    fi
    command -v xvfb-run >/dev/null || printf '%s\n' xvfb xauth
}

if [ "${1:-}" = --for-tests ]; then
    [ "$(uname -s)" = Linux ] || exit 0
    mapfile -t wanted < <(missing_packages | sort -u)
else
    wanted=("$@")
fi
[ ${#wanted[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo -n)
fi
if command -v apt-get >/dev/null && { [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null; }; then
    echo "setup: installing system packages: ${wanted[*]}"
    if { "${as_root[@]}" apt-get -qq update && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq install -y --no-install-recommends "${wanted[@]}"; } >/dev/null 2>&1; then
        exit 0
    fi
fi
cat >&2 <<END
setup: missing on this machine: ${wanted[*]} (names as on Debian and Ubuntu).
setup: napari's window, its screenshots and the tests of the window need them and are left out;
setup: everything else works. To install them: sudo apt-get install ${wanted[*]}
END
exit 1
