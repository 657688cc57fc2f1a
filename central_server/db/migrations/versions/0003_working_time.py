"""rotations, coverage gaps, kiosks, disputes, and days that say more about themselves"""

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('CoverageGap',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('camera_id', sa.String(length=32), nullable=False),
    sa.Column('site_id', sa.String(length=32), nullable=False),
    sa.Column('zone_id', sa.String(length=32), nullable=True),
    sa.Column('starts_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ends_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('reason', sa.String(length=24), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_CoverageGap'))
    )
    with op.batch_alter_table('CoverageGap', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_CoverageGap_camera_id'), ['camera_id'], unique=False)
        batch_op.create_index('ix_CoverageGap_site', ['site_id', 'ends_at'], unique=False)

    op.create_table('RoleThreshold',
    sa.Column('role', sa.String(length=120), nullable=False),
    sa.Column('threshold_s', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('role', name=op.f('pk_RoleThreshold'))
    )
    op.create_table('Rotation',
    sa.Column('rotation_id', sa.String(length=32), nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('starts_on', sa.Date(), nullable=False),
    sa.Column('pattern', sa.String(length=1000), nullable=False),
    sa.PrimaryKeyConstraint('rotation_id', name=op.f('pk_Rotation'))
    )
    op.create_table('Badge',
    sa.Column('employee_id', sa.String(length=64), nullable=False),
    sa.Column('pin_hash', sa.String(length=200), nullable=False),
    sa.Column('code_hash', sa.String(length=64), nullable=True),
    sa.Column('given_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('given_by', sa.String(length=64), nullable=False),
    sa.Column('failed', sa.Integer(), nullable=False),
    sa.Column('locked_until', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['employee_id'], ['Employee.employee_id'], name=op.f('fk_Badge_employee_id_Employee')),
    sa.PrimaryKeyConstraint('employee_id', name=op.f('pk_Badge')),
    sa.UniqueConstraint('code_hash', name=op.f('uq_Badge_code_hash'))
    )
    op.create_table('Dispute',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('employee_id', sa.String(length=64), nullable=False),
    sa.Column('business_date', sa.Date(), nullable=False),
    sa.Column('words', sa.String(length=600), nullable=False),
    sa.Column('noted_by', sa.String(length=64), nullable=False),
    sa.Column('noted_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('answer', sa.String(length=600), nullable=False),
    sa.Column('settled_by', sa.String(length=64), nullable=False),
    sa.Column('settled_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['employee_id'], ['Employee.employee_id'], name=op.f('fk_Dispute_employee_id_Employee')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_Dispute'))
    )
    with op.batch_alter_table('Dispute', schema=None) as batch_op:
        batch_op.create_index('ix_Dispute_day', ['employee_id', 'business_date'], unique=False)
        batch_op.create_index(batch_op.f('ix_Dispute_settled_at'), ['settled_at'], unique=False)

    op.create_table('EmployeeZone',
    sa.Column('employee_id', sa.String(length=64), nullable=False),
    sa.Column('zone_id', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['employee_id'], ['Employee.employee_id'], name=op.f('fk_EmployeeZone_employee_id_Employee')),
    sa.ForeignKeyConstraint(['zone_id'], ['Zone.zone_id'], name=op.f('fk_EmployeeZone_zone_id_Zone')),
    sa.PrimaryKeyConstraint('employee_id', 'zone_id', name=op.f('pk_EmployeeZone'))
    )
    op.create_table('Kiosk',
    sa.Column('kiosk_id', sa.String(length=32), nullable=False),
    sa.Column('site_id', sa.String(length=32), nullable=False),
    sa.Column('zone_id', sa.String(length=32), nullable=True),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('token_hash', sa.String(length=64), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('created_by', sa.String(length=64), nullable=False),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['site_id'], ['Site.site_id'], name=op.f('fk_Kiosk_site_id_Site')),
    sa.ForeignKeyConstraint(['zone_id'], ['Zone.zone_id'], name=op.f('fk_Kiosk_zone_id_Zone')),
    sa.PrimaryKeyConstraint('kiosk_id', name=op.f('pk_Kiosk')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_Kiosk_token_hash'))
    )
    with op.batch_alter_table('Alert', schema=None) as batch_op:
        batch_op.add_column(sa.Column('contradicted_by', sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table('Attendance', schema=None) as batch_op:
        batch_op.add_column(sa.Column('timezone', sa.String(length=64), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('break_seconds', sa.Integer(), nullable=False, server_default='0'))
        batch_op.add_column(sa.Column('overtime_paid_min', sa.Integer(), nullable=False, server_default='0'))
        batch_op.add_column(sa.Column('leave_kind', sa.String(length=40), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('is_verified', sa.Boolean(), nullable=False, server_default=sa.true()))

    with op.batch_alter_table('BreakWindow', schema=None) as batch_op:
        batch_op.add_column(sa.Column('is_paid', sa.Boolean(), nullable=False, server_default=sa.false()))

    with op.batch_alter_table('Camera', schema=None) as batch_op:
        batch_op.add_column(sa.Column('proven_to', sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table('Employee', schema=None) as batch_op:
        batch_op.add_column(sa.Column('role', sa.String(length=120), nullable=False, server_default=''))

    with op.batch_alter_table('Holiday', schema=None) as batch_op:
        batch_op.add_column(sa.Column('kind', sa.String(length=16), nullable=False, server_default='national'))
        batch_op.add_column(sa.Column('is_certain', sa.Boolean(), nullable=False, server_default=sa.true()))

    with op.batch_alter_table('Leave', schema=None) as batch_op:
        batch_op.add_column(sa.Column('note', sa.String(length=200), nullable=False, server_default=''))

    with op.batch_alter_table('Presence', schema=None) as batch_op:
        batch_op.add_column(sa.Column('zones', sa.JSON(), nullable=False, server_default='{}'))
        batch_op.add_column(sa.Column('is_punched_in', sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column('check_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.create_index(batch_op.f('ix_Presence_check_at'), ['check_at'], unique=False)

    with op.batch_alter_table('ShiftAssignment', schema=None) as batch_op:
        batch_op.add_column(sa.Column('rotation_id', sa.String(length=32), nullable=True))
        batch_op.alter_column('shift_id',
               existing_type=sa.VARCHAR(length=32),
               nullable=True)
        batch_op.create_foreign_key(batch_op.f('fk_ShiftAssignment_rotation_id_Rotation'), 'Rotation', ['rotation_id'], ['rotation_id'])

    with op.batch_alter_table('Zone', schema=None) as batch_op:
        batch_op.add_column(sa.Column('is_entrance', sa.Boolean(), nullable=False, server_default=sa.false()))

    # What days were judged in is not on record: their site's time zone is what it was.
    op.execute(
        """UPDATE "Attendance" SET timezone = COALESCE((SELECT s.timezone FROM "Site" s """
        """WHERE s.site_id = "Attendance".site_id), '')"""
    )
    # What each camera proves goes on from what was known: a camera that watches, from what its agent has
    # reported; one that does not, from when that was noticed. Before its agent joined, nobody watched.
    op.execute(
        """UPDATE "Camera" SET proven_to = (SELECT CASE """
        """WHEN "Camera".covered_since IS NOT NULL AND a.reported_to >= "Camera".covered_since """
        """THEN a.reported_to ELSE COALESCE("Camera".state_at, a.reported_to) END """
        """FROM "Agent" a WHERE a.agent_id = "Camera".agent_id AND a.reported_to IS NOT NULL) """
        """WHERE state <> 'disabled'"""
    )
    op.execute(
        """INSERT INTO "CoverageGap" (camera_id, site_id, zone_id, starts_at, ends_at, reason) """
        """SELECT c.camera_id, c.site_id, c.zone_id, """ + _long_ago() + """, a.joined_at, 'new' """
        """FROM "Camera" c JOIN "Agent" a ON a.agent_id = c.agent_id WHERE a.reported_to IS NOT NULL"""
    )


def _long_ago() -> str:
    """Return the instant before every other as this database keeps it."""
    is_sqlite = op.get_bind().dialect.name == 'sqlite'
    return "'2000-01-01 00:00:00.000000'" if is_sqlite else "TIMESTAMPTZ '2000-01-01 00:00:00+00'"


def downgrade() -> None:
    with op.batch_alter_table('Zone', schema=None) as batch_op:
        batch_op.drop_column('is_entrance')

    op.execute('DELETE FROM "ShiftAssignment" WHERE shift_id IS NULL')  # rotations, which 0002 does not know
    with op.batch_alter_table('ShiftAssignment', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('fk_ShiftAssignment_rotation_id_Rotation'), type_='foreignkey')
        batch_op.alter_column('shift_id',
               existing_type=sa.VARCHAR(length=32),
               nullable=False)
        batch_op.drop_column('rotation_id')

    with op.batch_alter_table('Presence', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_Presence_check_at'))
        batch_op.drop_column('check_at')
        batch_op.drop_column('is_punched_in')
        batch_op.drop_column('zones')

    for table, columns in (
        ('Leave', ['note']),
        ('Holiday', ['is_certain', 'kind']),
        ('Employee', ['role']),
        ('Camera', ['proven_to']),
        ('BreakWindow', ['is_paid']),
        ('Attendance', ['is_verified', 'leave_kind', 'overtime_paid_min', 'break_seconds', 'timezone']),
        ('Alert', ['contradicted_by']),
    ):
        with op.batch_alter_table(table, schema=None) as batch_op:
            for column in columns:
                batch_op.drop_column(column)

    for table in ('Kiosk', 'EmployeeZone', 'Dispute', 'Badge', 'Rotation', 'RoleThreshold', 'CoverageGap'):
        op.drop_table(table)
