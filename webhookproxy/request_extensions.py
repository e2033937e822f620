"""The Flask extensions that take part in requests; commands do not import them."""

from __future__ import annotations

from flask_compress import Compress
from flask_login import LoginManager
from flask_wtf import CSRFProtect

login_manager = LoginManager()
csrf = CSRFProtect()
compress = Compress()
