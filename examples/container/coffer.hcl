# The configuration inside the image. Plain HTTP, for one machine or behind a proxy that speaks TLS:
# give the listener tls_cert_file and tls_key_file before it is reached from anywhere else.
storage "sqlite" {
  path = "/var/lib/coffer/coffer.db"
}

listener "tcp" {
  address     = "0.0.0.0:8200"
  tls_disable = true
}

audit "file" "file" {
  description = "every request and every answer"
  options {
    file_path = "/var/log/coffer/audit.log"
  }
}
