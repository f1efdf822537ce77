# shellcheck shell=bash disable=SC2154
# The two ways in which scripts/asterisk runs Asterisk: in a Docker container,
# or in a root folder made of Debian's packages. Both offer ENGINE_start, _runs,
# _cli, _logs and _remove for the instance `name` with its `setting`s.
#
# Uses from scripts/asterisk: configuration, state, instance, name, setting, say,
# fail, replace_in.

declare -A suite_of=([22]=sid [16]=bullseye)

# Makes the engine ready that is asked for, and writes it into the settings.
prepare_engine() {
    mkdir -p "$state"
    exec 9>"$state/prepare.lock"
    flock --wait 2 9 || say 'waiting for another preparation of Asterisk to end …'
    flock --wait 1800 9 || fail 'another preparation of Asterisk has gone on for 30 minutes'
    case ${setting[engine]} in
        auto)
            if docker_answers || start_docker_daemon; then
                setting[engine]=docker
            elif can_install_packages; then
                say 'no Docker here; using a root folder instead'
                setting[engine]=chroot
            else
                fail "no Docker engine answers, and it takes root on Debian to do without: $(what_is_missing)"
            fi
            ;;
        docker)
            docker_answers || start_docker_daemon ||
                fail "no Docker engine answers: $(what_is_missing)"
            ;;
        chroot)
            can_install_packages || fail 'a root folder can only be made and run by root on Debian'
            ;;
    esac
    "prepare_${setting[engine]}"
    exec 9>&-
}

# -- Debian --------------------------------------------------------------------

can_install_packages() {
    [[ $EUID == 0 && -f /etc/debian_version ]] && command -v apt-get >/dev/null
}

what_is_missing() {
    if ! command -v apt-get >/dev/null || [[ ! -f /etc/debian_version ]]; then
        echo 'this is not Debian; install and start Docker'
    elif [[ $EUID != 0 ]]; then
        if command -v docker >/dev/null; then
            echo 'start Docker, or join its group, or run this as root'
        else
            echo 'install Docker, or run this as root'
        fi
    else
        echo "see $state/*.log"
    fi
}

# log_step LOG TEXT COMMAND…: says TEXT, runs the command with its output in the
# log, and shows the end of that if it fails.
log_step() {
    local log=$1
    say "$2 …"
    if ! "${@:3}" >"$log" 2>&1 8>&- 9>&-; then
        say "that failed; the end of $log:"
        tail -n 15 "$log" >&2
        return 1
    fi
}

install_package() {
    DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Check-Valid-Until=false update &&
        DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$@"
}

# The mirror this machine itself installs from.
debian_mirror() {
    local codename
    codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    # shellcheck disable=SC2016 # apt-get fills these in
    apt-get indextargets --format '$(CREATED_BY) $(COMPONENT) $(RELEASE) $(REPO_URI)' |
        awk -v codename="$codename" '
            $1 == "Packages" && $2 == "main" && $3 !~ /security/ {
                if (any == "") any = $4
                if ($3 == codename && own == "") own = $4
            }
            END { print own != "" ? own : any }'
}

# The proxy this machine itself installs through, if any.
debian_proxy() {
    local proxy=''
    if command -v apt-config >/dev/null; then
        eval "$(apt-config shell proxy Acquire::http::Proxy)"
    fi
    [[ $proxy == DIRECT ]] || printf '%s' "${proxy:-${http_proxy:-}}"
}

# make_debian SUITE TARGET [OPTION…]: a minimal Debian as a folder, or on the
# standard output if TARGET is "-".
make_debian() {
    local suite=$1 target=$2 mirror proxy options
    mirror=$(debian_mirror)
    [[ -n $mirror ]] || {
        echo 'no Debian mirror in the configuration of apt' >&2
        return 1
    }
    options=(
        --variant=minbase --mode=root
        # A mirror may be a snapshot that is older than its own Valid-Until.
        --aptopt='Acquire::Check-Valid-Until "false"'
        --aptopt='APT::Install-Recommends "false"'
        --dpkgopt=force-unsafe-io
    )
    proxy=$(debian_proxy)
    if [[ -n $proxy ]]; then
        options+=(--aptopt="Acquire::http::Proxy \"$proxy\"")
    fi
    # Not in /tmp, which may forbid devices and programs.
    TMPDIR=$state mmdebstrap "${options[@]}" "${@:3}" "$suite" "$target" "deb $mirror $suite main"
}

ensure_mmdebstrap() {
    command -v mmdebstrap >/dev/null && return 0
    log_step "$state/install-mmdebstrap.log" "installing mmdebstrap from Debian's packages" \
        install_package mmdebstrap debian-archive-keyring
}

# signal_own SIGNAL PID TEXT: only if the process is still the program that we
# started, which has TEXT in its command line.
signal_own() {
    [[ $2 =~ ^[0-9]+$ && -r /proc/$2/cmdline ]] || return 1
    tr '\0' ' ' <"/proc/$2/cmdline" 2>/dev/null | grep -qF -- "$3" || return 1
    kill "-$1" "$2" 2>/dev/null
}

# stop_own PID TEXT: likewise; waits for its end, and insists after ten seconds.
stop_own() {
    local deadline=$((SECONDS + 10))
    signal_own TERM "$1" "$2" || return 0
    while signal_own 0 "$1" "$2"; do
        ((SECONDS < deadline)) || signal_own KILL "$1" "$2" || true
        sleep 0.05
    done
}

# -- Docker --------------------------------------------------------------------

docker_answers() {
    command -v docker >/dev/null && timeout 10 docker version >/dev/null 2>&1
}

wait_for_docker() {
    local deadline=$((SECONDS + $1))
    until docker_answers; do
        ((SECONDS < deadline)) || return 1
        [[ -z ${2:-} ]] || kill -0 "$2" 2>/dev/null || return 1
        sleep 0.1
    done
}

# Starts a Docker engine where there is none; false where that is impossible.
start_docker_daemon() {
    local storage daemon_pid
    [[ $EUID == 0 ]] || return 1
    if ! command -v dockerd >/dev/null; then
        can_install_packages || return 1
        log_step "$state/install-docker.log" "installing Docker from Debian's packages (about half a minute)" \
            install_package docker.io || return 1
    fi
    if [[ -d /run/systemd/system ]]; then
        systemctl start docker >/dev/null 2>&1 && wait_for_docker 20 && return 0
    fi
    # The containers use the host's network: no bridge and no firewall rules are
    # needed, which a restricted machine may not allow anyway. "vfs" is slow and
    # large but works on any file system.
    for storage in '' vfs; do
        say "starting the Docker daemon${storage:+ with storage driver $storage} …"
        setsid dockerd --iptables=false --bridge=none ${storage:+--storage-driver="$storage"} \
            --pidfile "$state/dockerd.pid" >"$state/dockerd.log" 2>&1 </dev/null 8>&- 9>&- &
        daemon_pid=$!
        wait_for_docker 20 "$daemon_pid" && return 0
        stop_own "$daemon_pid" dockerd
        # Somebody else may have started one at the same moment.
        docker_answers && return 0
    done
    say "the Docker daemon does not start; the end of $state/dockerd.log:"
    tail -n 5 "$state/dockerd.log" >&2
    return 1
}

stop_docker_daemon() {
    local pid
    pid=$(cat "$state/dockerd.pid" 2>/dev/null) || return 0
    if [[ -n $(docker ps --quiet 2>/dev/null) ]]; then
        say 'the Docker daemon goes on: containers run on it'
        return 0
    fi
    stop_own "$pid" dockerd
    rm -f "$state/dockerd.pid"
    say 'the Docker daemon is stopped'
}

docker_image() {
    printf 'callrelay-asterisk:%s-%s' "${setting[version]}" \
        "$(sha256sum "$configuration/Dockerfile" | cut -c 1-12)"
}

prepare_docker() {
    local suite=${suite_of[${setting[version]}]} image
    image=$(docker_image)
    docker image inspect "$image" >/dev/null 2>&1 && return 0
    ensure_debian_image "$suite"
    log_step "$state/build-image-${setting[version]}.log" \
        "building the image of Asterisk ${setting[version]} from Debian's packages (about a minute)" \
        build_image "$suite" "$image" || exit 1
}

build_image() {
    local proxy options
    options=(--network host --build-arg "SUITE=$1" --tag "$2")
    proxy=$(debian_proxy)
    if [[ -n $proxy ]]; then
        options+=(--build-arg "http_proxy=$proxy")
    fi
    if ! docker buildx version >/dev/null 2>&1; then
        # Only the old builder is there; it leaves failed steps behind if let.
        export DOCKER_BUILDKIT=0
        options+=(--force-rm)
    fi
    docker build "${options[@]}" - <"$configuration/Dockerfile"
}

# The image that the Dockerfile begins with: there already, pulled, or made here.
ensure_debian_image() {
    local image=debian:$1-slim
    docker image inspect "$image" >/dev/null 2>&1 && return 0
    say "pulling $image …"
    pull_image "$image" && return 0
    can_install_packages ||
        fail "$image cannot be pulled (see $state/pull.log), and making it takes root on Debian"
    ensure_mmdebstrap || exit 1
    log_step "$state/build-debian-$1.log" "no registry; making $image from Debian's packages (about a minute)" \
        import_debian_image "$1" "$image" || exit 1
}

import_debian_image() {
    make_debian "$1" - | docker import - "$2"
}

# A registry that has not even begun to answer after 20 seconds is given up.
pull_image() {
    local pid deadline=$((SECONDS + 20))
    timeout 900 docker pull "$1" >"$state/pull.log" 2>&1 8>&- 9>&- &
    pid=$!
    while kill -0 "$pid" 2>/dev/null && ! grep -q 'Pulling from' "$state/pull.log"; do
        if ((SECONDS >= deadline)); then
            kill "$pid" 2>/dev/null || true
            break
        fi
        sleep 0.1
    done
    wait "$pid" 2>/dev/null
}

docker_start() {
    # A container of that name that we do not know of: ours if it has our label.
    if docker container inspect "$name" >/dev/null 2>&1; then
        [[ $(docker container inspect --format '{{index .Config.Labels "callrelay.asterisk"}}' "$name") == yes ]] ||
            fail "there is a container named $name that this script did not make; choose another --name"
        docker_remove
    fi
    docker run --detach --name "$name" --label callrelay.asterisk=yes --network host \
        --log-opt max-size=50m --volume "$instance/conf:/etc/asterisk:ro" \
        "$(docker_image)" >/dev/null
}

docker_runs() {
    [[ $(docker container inspect --format '{{.State.Running}}' "$name" 2>/dev/null) == true ]]
}

docker_cli() {
    docker exec "$name" asterisk -rx "$1"
}

docker_logs() {
    if [[ ${1:-no} == yes ]]; then
        docker logs --follow "$name"
    else
        docker logs "$name"
    fi
}

docker_remove() {
    docker rm --force "$name" >/dev/null 2>&1 || true
}

# -- A root folder -------------------------------------------------------------

root_folder() {
    printf '%s/roots/%s' "$state" "${setting[version]}"
}

prepare_chroot() {
    local root
    root=$(root_folder)
    [[ -d $root ]] && return 0
    ensure_mmdebstrap || exit 1
    rm -rf "$root.unfinished"
    mkdir -p "$state/roots"
    log_step "$state/build-root-${setting[version]}.log" \
        "making a root folder with Asterisk ${setting[version]} from Debian's packages (about a minute)" \
        make_debian "${suite_of[${setting[version]}]}" "$root.unfinished" --include=asterisk || exit 1
    mv "$root.unfinished" "$root"
}

# All instances of a version share the root folder; each has a folder in it.
chroot_start() {
    local home root
    home=/srv/$name
    root=$(root_folder)
    rm -rf "${root:?}$home"
    mkdir -p "$root$home"/{run,db,log,spool}
    replace_in asterisk.conf '\[directories\]\(!\)' "[directories]\\
astetcdir => $home/conf\\
astrundir => $home/run\\
astdbdir => $home/db\\
astlogdir => $home/log\\
astspooldir => $home/spool"
    mv "$instance/conf" "$root$home/conf"
    chroot "$root" chown -R asterisk:asterisk "$home"
    setsid chroot --userspec=asterisk:asterisk "$root" \
        /usr/sbin/asterisk -f -n -C "$home/conf/asterisk.conf" \
        >"$instance/log" 2>&1 </dev/null 8>&- 9>&- &
    echo $! >"$instance/pid"
}

chroot_runs() {
    signal_own 0 "$(cat "$instance/pid" 2>/dev/null)" "/srv/$name/conf/asterisk.conf"
}

chroot_cli() {
    chroot --userspec=asterisk:asterisk "$(root_folder)" \
        /usr/sbin/asterisk -C "/srv/$name/conf/asterisk.conf" -rx "$1"
}

chroot_logs() {
    if [[ ${1:-no} == yes ]]; then
        tail -n +1 -f "$instance/log"
    else
        cat "$instance/log"
    fi
}

chroot_remove() {
    local root
    root=$(root_folder)
    stop_own "$(cat "$instance/pid" 2>/dev/null)" "/srv/$name/conf/asterisk.conf"
    rm -rf "${root:?}/srv/$name"
}
