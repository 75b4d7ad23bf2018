# Shared by the benches, beside scripts/lib.sh: sourced, not run.
# shellcheck shell=bash

export PATH="$PATH:/usr/sbin"

# build_release: sets GAVETA, the program as it is released.
build_release() {
    cargo build --locked --quiet --release
    GAVETA=$(target_dir)/release/gaveta
}

# A client that says nothing but what fails, and keeps what it remembers in the scratch folder.
gaveta() { XDG_STATE_HOME=$SCRATCH/journal "$GAVETA" --lang en "$@" --quiet; }

# settle: nothing that others left is still to be written, and some free memory (2 GiB, or a quarter of
# what there is) has been touched: where a host takes back what is free, whoever touches it first pays for it. The same before each.
settle() {
    sync -f "$SCRATCH"
    [ -w /dev/shm ] || return 0
    local room
    room=$(awk '/^MemAvailable/ { room = int($2 / 4); print (room > 2097152 ? 2097152 : room) }' /proc/meminfo)
    head -c "${room}K" /dev/zero >"/dev/shm/gaveta-settle.$$" 2>/dev/null || true
    rm -f "/dev/shm/gaveta-settle.$$"
}

# timed NAME COMMAND...: its milliseconds go to the file of that name.
timed() {
    local name=$1 began
    shift
    settle
    began=$(date +%s%N)
    "$@"
    echo $((($(date +%s%N) - began) / 1000000)) >>"$SCRATCH/times.$name"
}

# median NAME: of what was timed under it.
median() { sort -n "$SCRATCH/times.$1" | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'; }

# table AMOUNT UNIT NAME...: a line for each name that was timed.
table() {
    local amount=$1 unit=$2 name
    shift 2
    for name in "$@"; do
        [ -f "$SCRATCH/times.$name" ] || continue
        awk -v name="$name" -v ms="$(median "$name")" -v amount="$amount" -v unit="$unit" \
            'BEGIN { printf "  %-14s %7d ms  %10.1f %s/s\n", name, ms, amount * 1000 / (ms + 0.5), unit }'
    done
}

# ratio A B WHAT: the median of A over that of B, where both were timed.
ratio() {
    [ -f "$SCRATCH/times.$1" ] && [ -f "$SCRATCH/times.$2" ] || return 0
    awk -v a="$(median "$1")" -v b="$(median "$2")" -v what="$3" \
        'BEGIN { printf "  %s: %.2f\n", what, a / (b + 0.001) }'
}

# peak_memory PID: of a process that still runs.
peak_memory() { printf '  peak memory of the server: %d kB\n' "$(awk '/VmHWM/ {print $2}' "/proc/$1/status")"; }

# make_files FOLDER COUNT BYTES: random contents, a hundred to a folder.
make_files() {
    local folder=$1 count=$2 bytes=$3 n
    for n in $(seq 0 $(((count - 1) / 100))); do
        mkdir -p "$folder/$n"
        head -c $((100 * bytes)) /dev/urandom |
            split -b "$bytes" -a 3 -d - "$folder/$n/file-"
    done
}

# start_sshd [ADDRESS]: on a port of its own with a key of its own; sets SSHD_PORT, SSH and SCP. The
# cipher is whatever both ends like best, as people have it.
start_sshd() {
    local address=${1:-127.0.0.1}
    command -v sshd >/dev/null && command -v ssh >/dev/null || return 1
    mkdir -p "$SCRATCH/ssh"
    [ -f "$SCRATCH/ssh/host" ] || {
        ssh-keygen -q -t ed25519 -N '' -f "$SCRATCH/ssh/host"
        ssh-keygen -q -t ed25519 -N '' -f "$SCRATCH/ssh/key"
        cp "$SCRATCH/ssh/key.pub" "$SCRATCH/ssh/authorized"
    }
    SSHD_PORT=$((20000 + RANDOM % 20000))
    printf '%s\n' "Port $SSHD_PORT" "ListenAddress $address" "HostKey $SCRATCH/ssh/host" 'UsePAM no' \
        "AuthorizedKeysFile $SCRATCH/ssh/authorized" 'StrictModes no' 'PermitRootLogin yes' \
        'MaxStartups 100' "PidFile $SCRATCH/ssh/pid" 'Subsystem sftp internal-sftp' >"$SCRATCH/ssh/config"
    [ "$(id -u)" != 0 ] || mkdir -p /run/sshd
    ${IN_SERVER_SPACE:-} "$(command -v sshd)" -D -f "$SCRATCH/ssh/config" 2>"$SCRATCH/ssh/log" &
    STARTED+=($!)
    sleep 1
    local options="-i $SCRATCH/ssh/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=$SCRATCH/ssh/known -o LogLevel=ERROR"
    SSH="ssh -p $SSHD_PORT $options"
    SCP="scp -q -P $SSHD_PORT $options"
}
