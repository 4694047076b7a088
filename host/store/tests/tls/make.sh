#!/usr/bin/env bash
# Makes the certificates of the TLS test: an authority, a server's certificate
# for localhost and 127.0.0.1 from it, and another authority that knows neither.
# They are for tests only, so the server's key may lie here; they end in 2126.
set -euo pipefail
cd "$(dirname "$0")"
key() { openssl ecparam -name prime256v1 -genkey -noout; }
for authority in authority other; do
    key > "$authority.key"
    openssl req -x509 -new -key "$authority.key" -subj "/CN=tollgate test $authority" \
        -days 36500 -out "$authority.crt"
done
key > server.key
openssl req -new -key server.key -subj /CN=localhost |
    openssl x509 -req -CA authority.crt -CAkey authority.key -days 36500 -out server.crt \
        -extfile <(printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n')
rm -f authority.key other.key *.srl
